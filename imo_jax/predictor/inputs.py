"""What is predicted: photographs and OCT volumes from files, arrays or Pillow's pictures.

A doubtful input is refused or warned of by the same rules whether it comes from a file or not.
"""

import dataclasses
import numbers
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from data_pipelines import quality
from data_pipelines.bad_file import BadFile
from data_pipelines.dicom_photographs import LEAST_MM, MOST_MM, PixelSpacing
from data_pipelines.images import (
    exif_orientation,
    photograph_pixels,
    pixel_spacing,
    read_fundus,
    side,
)
from data_pipelines.volume_form import VolumeForm
from data_pipelines.volume_memory import plain
from data_pipelines.volumes import read_volume
from imo_jax.metrics.disc_measures import NAMES_BY_SIDE, Side

PhotographLike = str | os.PathLike | np.ndarray | Image.Image

@dataclasses.dataclass(frozen=True)
class FormedVolume:
    """An OCT volume of which it is said what its axes and numbers mean."""

    given: str | os.PathLike | np.ndarray
    form: VolumeForm


VolumeLike = str | os.PathLike | np.ndarray | FormedVolume

ORIENTATION_TAG = 0x0112  # of EXIF
UPRIGHT = 1  # the EXIF orientation of a file whose pixels lie as they are shown


class BadInput(ValueError):
    """Inputs that do not fit together, or that are not there; the message says what to do."""


@dataclasses.dataclass(frozen=True)
class NotRead:
    """Stands for a result where an eye's files cannot be used and the others are to go on.

    Attributes:
      id: of the eye.
      reason: which file, why, and what to do.
    """

    id: str
    reason: str


# What a file can do wrong; anything else is a mistake of the program.
FAULTS = (BadFile, BadInput, OSError)


@dataclasses.dataclass(frozen=True)
class Photograph:
    """A fundus photograph as it is shown.

    Attributes:
      name: of the eye, for messages and file names.
      pixels: (H, W, 3) uint8 RGB, upright.
      file: that it was read from, or None.
      exif_orientation: by which the file's own pixels were turned to be upright; 1 = not at all.
      spacing: how large a pixel is, as the file tells.
      side: "OD" or "OS", as the file tells; or None.
    """

    name: str
    pixels: np.ndarray
    file: str | None = None
    exif_orientation: int = UPRIGHT
    spacing: PixelSpacing = PixelSpacing()
    side: Side | None = None


def is_file(given: Any) -> bool:
    """Whether an input is named by its path."""
    given = given.given if isinstance(given, FormedVolume) else given
    return isinstance(given, str | os.PathLike)


def default_id(given: Any, number: int) -> str:
    """The name of an eye: its file's, without the ending, or `eye_1`, `eye_2`, ..."""
    return path_of(given).stem if is_file(given) else f"eye_{number + 1}"


def path_of(given: Any) -> pathlib.Path:
    """The path of an input that is a file."""
    return pathlib.Path(given.given if isinstance(given, FormedVolume) else given)


def photograph_of(given: PhotographLike, name: str) -> Photograph:
    """Reads a photograph.

    Args:
      given: a JPEG, PNG, TIFF, BMP or DICOM file; a uint8 array (H, W, 3) RGB, (H, W, 4) RGBA or (H, W)
        grey, or a uint16 array (H, W) grey, which are converted as such files are; or a picture of
        Pillow, which is turned upright as its EXIF says.
      name: of the eye.

    Raises:
      BadFile (a ValueError): it cannot be a photograph; names the file or the eye, and why.
    """
    if is_file(given):
        pixels, orientation = read_fundus(given), exif_orientation(given)
        told = pixel_spacing(given), side(given)
        return Photograph(name, pixels, os.fspath(given), orientation, *told)
    if isinstance(given, np.ndarray):
        return Photograph(name, photograph_pixels(_picture(given, name), name))
    if isinstance(given, Image.Image):
        upright, orientation = _upright(given)
        return Photograph(name, photograph_pixels(upright, name), None, orientation)
    raise BadFile(name, f"a photograph is a path, a numpy array or a picture of Pillow, not a "
                        f"{type(given).__name__}")  # fmt: skip


def _upright(picture: Image.Image) -> tuple[Image.Image, int]:
    """A picture turned as its EXIF says, and the orientation that it had."""
    try:
        orientation = int(picture.getexif().get(ORIENTATION_TAG, UPRIGHT))
        return ImageOps.exif_transpose(picture), orientation
    except Exception:  # noqa: BLE001 - damaged EXIF says nothing about the pixels
        return picture, UPRIGHT


def _picture(pixels: np.ndarray, name: str) -> Image.Image:
    """An array as the picture that a file with these pixels would be."""
    shape, dtype = pixels.shape, pixels.dtype
    grey, colour = len(shape) == 2, len(shape) == 3 and shape[2] in (3, 4)
    if 0 in shape or not (grey or colour):
        raise BadFile(
            name,
            f"has shape {shape}: a photograph is (height, width, 3) RGB, (height, width, 4) RGBA "
            "or (height, width) grey; give several as a list",
        )
    if dtype == np.uint8 or (dtype == np.uint16 and grey):
        return Image.fromarray(np.ascontiguousarray(pixels))
    raise BadFile(
        name,
        f"holds {dtype}, from which the range of brightness cannot be known; give uint8 in 0..255",
    )


def formed(
    scans: Sequence[VolumeLike | None], forms: Sequence[VolumeForm] | None
) -> list[VolumeLike | None]:
    """The volumes, each with what is said of it; None = nothing is said of any."""
    if forms is None:
        return list(scans)
    return [
        None if scan is None else FormedVolume(scan, form)
        for scan, form in zip(scans, forms, strict=True)
    ]


def form_for(
    scans: Sequence[VolumeLike | None], axes: str | None, range: str | None
) -> list[VolumeLike | None]:
    """The volumes with one thing said of all; errors as VolumeForm."""
    if axes is None and range is None:
        return list(scans)
    return formed(scans, [VolumeForm(axes, range)] * len(scans))


def volume_of(given: VolumeLike, name: str, form: VolumeForm) -> tuple[np.ndarray, list[str]]:
    """Reads an OCT volume, and what is odd about it.

    Args:
      given: a file or folder that `data_pipelines.volumes.read_volume` takes, or an array
        (slices, depth, width), which is taken as a .npy file with these numbers is.
      name: of the eye.
      form: what its axes and numbers mean, where it is no FormedVolume, which says so itself.

    Returns:
      (slices, depth, width) uint8 or float32, and doubts in whole sentences.

    Raises:
      BadFile (a ValueError): it cannot be read or used; names the file or the eye, and why.
    """
    if isinstance(given, FormedVolume):
        given, form = given.given, given.form
    if is_file(given):
        volume = read_volume(given, form)
    elif isinstance(given, np.ndarray):
        title = f"OCT volume of {name}"
        volume = form.of(plain(given, title, form.order), title)
    else:
        raise BadFile(name, "an OCT volume is a path or a numpy array (slices, depth, width), not "
                            f"a {type(given).__name__}")  # fmt: skip
    refuse(quality.volume_faults(volume), name, "OCT volume")
    return volume, [f"the OCT volume {doubt}" for doubt in quality.volume_doubts(volume, form)]


def photograph_doubts(pixels: np.ndarray, name: str) -> list[str]:
    """What is odd about a photograph, in whole sentences.

    Raises:
      BadFile: it cannot be used; the same is refused in a manifest.
    """
    refuse(quality.photograph_faults(pixels), name, "photograph")
    return [f"the photograph {doubt}" for doubt in quality.photograph_doubts(pixels)]


def refuse(faults: Sequence[str], name: str, what: str) -> None:
    """Raises BadFile where there are faults."""
    if faults:
        raise BadFile(name, f"the {what} {'; '.join(faults)}")


def spacings_of(given: Any, number: int) -> list[float | None]:
    """The side of a pixel in mm for each of `number` eyes, from one for all or a list.

    Raises:
      BadInput: another number of them than of eyes, or one that no camera has.
    """
    found = _for_each(given, number, "mm_per_pixel")
    for value in found:
        if value is None:
            continue
        if not isinstance(value, numbers.Real) or not LEAST_MM <= value <= MOST_MM:
            raise BadInput(
                f"mm_per_pixel={value!r} is impossible: a pixel of a fundus photograph is "
                f"{LEAST_MM:g} to {MOST_MM:g} mm on the retina; give millimetres (0.005 is 5 µm)"
            )
    return found


def sides_of(given: Any, number: int) -> list[Side | None]:
    """ "OD", "OS" or None for each of `number` eyes, from one for all or a list.

    Raises:
      BadInput: another number of them than of eyes, or another word.
    """
    found = _for_each(given, number, "eye")
    if unknown := [word for word in found if word is not None and word not in NAMES_BY_SIDE]:
        raise BadInput(f"eye is {unknown[0]!r}: OD (right) or OS (left)")
    return found


def _for_each(given: Any, number: int, what: str) -> list[Any]:
    """What is given of all eyes, or of each."""
    found, many = as_list(given)
    found = found if many else found * number
    if len(found) != number:
        raise BadInput(f"{len(found)} times {what} for {number} eyes")
    return found


def as_list(given: Any) -> tuple[list[Any], bool]:
    """One or many inputs as a list, and whether there were many (a list or tuple)."""
    many = isinstance(given, list | tuple)
    return (list(given) if many else [given]), many


def distinct_ids(given: Sequence[Any], ids: Sequence[str] | None) -> list[str]:
    """The eyes' names: as given, or from their files.

    Raises:
      BadInput: another number of names than of eyes, or a name twice: files would collide.
    """
    found = list(ids) if ids is not None else [default_id(x, i) for i, x in enumerate(given)]
    if len(found) != len(given):
        raise BadInput(f"{len(found)} ids for {len(given)} eyes")
    if twice := sorted({name for name in found if found.count(name) > 1}):
        raise BadInput(f"two eyes would be named {', '.join(twice[:5])}; name all with ids=[...]")
    return found


def require_files(given: Sequence[Any]) -> None:
    """Raises BadInput listing all files that are not there, before any is read."""
    paths = [path_of(path) for path in given if is_file(path)]
    if absent := [f"{path}: no such file" for path in paths if not path.exists()]:
        raise BadInput("\n".join(absent))

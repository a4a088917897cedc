"""Read OCT volumes in the forms that people have them in.

A volume is always (slices, depth, width): B-scans in acquisition order, axial depth
downwards, A-scans to the right. Nothing here executes code from a file
(`allow_pickle=False`), and the claimed size is judged before anything is decoded.
"""

from __future__ import annotations

import itertools
import os
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from data_pipelines import npy
from data_pipelines.bad_file import BadFile, describe
from data_pipelines.colours import is_coloured
from data_pipelines.dicom_files import HEAD, is_dicom
from data_pipelines.dicom_volumes import read_dicom, read_dicom_slices
from data_pipelines.images import IMAGE_SUFFIXES, decode, open_image
from data_pipelines.litter import is_litter
from data_pipelines.npz_member import split_member
from data_pipelines.tiff_volumes import read_tiff
from data_pipelines.vendor_files import vendor_reader
from data_pipelines.volume_form import AS_STORED, VolumeForm
from data_pipelines.volume_limits import MAX_SLICES, check_dtype, check_shape
from data_pipelines.volume_memory import AS_IN_FILE, gathered, plain, room

FORMS = (
    ".npy, .npz with one array, a folder of B-scan pictures or DICOM files, a multi-frame TIFF, "
    "DICOM, Heidelberg .vol and .e2e, Topcon .fda and .fds, Cirrus .img, or the grey picture of a single B-scan"
)

_PHOTOMETRIC, _MIN_IS_WHITE = 262, 0  # of TIFF

VOLUME_SUFFIXES = (".npy", ".npz", ".tif", ".tiff", ".dcm", ".vol", ".e2e", ".fda", ".fds", ".img")


def read_volume(path: os.PathLike | str, form: VolumeForm = AS_STORED) -> np.ndarray:
    """Reads an OCT volume.

    Args:
      path: `.npy` or `.npz` (one array, or the one named: `file.npz#name`) of shape (slices, depth,
        width); a folder of B-scan
        pictures, sorted by the numbers in their names, or of DICOM files, sorted by where they
        lie; a multi-frame TIFF; a DICOM file; a file of vendor_files; or a grey picture, which is
        a volume of one B-scan. The form is told from the content, not from the suffix, but for
        .e2e and .img.
      form: what its axes and numbers mean, where that is known better than from the file.

    Returns:
      (slices, depth, width): uint8 as stored, every other numeric type as float32; uint8 where the
      form has a range.

    Raises:
      BadFile (a ValueError): missing, empty, truncated, unknown form, pickled objects,
      several arrays, not three axes, no voxels, absurd size, non-finite values, pictures
      of different sizes.
    """
    path, member = split_member(Path(path))
    if not path.exists():
        raise BadFile(path, "does not exist")
    if path.is_file() and path.stat().st_size == 0:
        raise BadFile(path, "is empty (0 bytes); copy it again")
    try:
        if member is None:
            volume = _reader_of(path)(path, form.order)
        else:
            volume = read_member(path, member, form.order)
    except BadFile:
        raise
    except Exception as error:  # Damaged files raise many types in numpy, tifffile, pydicom.
        raise BadFile(path, f"cannot be read as a volume ({describe(error)})") from error
    return form.of(plain(volume, path, form.order), path)


# Reads a file into an array whose axes are those of the file, and that lies in memory in an order.
Reader = Callable[[Path, Sequence[int]], np.ndarray]


def _reader_of(path: Path) -> Reader:
    """The reader for a folder, or for a file, told from its first bytes."""
    if path.is_dir():
        return _read_folder
    if not path.is_file():
        raise BadFile(path, "is not an ordinary file")
    head = _head(path)
    if head.startswith(npy.MAGIC):
        return _read_npy
    if head.startswith(b"PK"):
        return _read_npz
    if head[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return read_tiff
    if head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"BM")):
        return _read_picture
    if reader := vendor_reader(path, head):
        return lambda file, order: reader(file)  # of known axes
    if is_dicom(head):
        return read_dicom
    raise BadFile(path, f"is in no known form of a volume; known are {FORMS}")


def _read_npy(path: Path, order: Sequence[int]) -> np.ndarray:
    with open(path, "rb") as file:
        return _read_array(file, path, order)


def _archive(path: Path) -> zipfile.ZipFile:
    """An opened `.npz`. Raises BadFile for what begins as one and does not end as one."""
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise BadFile(
            path, "is truncated or damaged: it begins as an .npz, its end is missing; copy it again"
        ) from None


def _members(archive: zipfile.ZipFile) -> list[str]:
    """Names of the arrays in an `.npz`, without what a system put beside them."""
    files = [name for name in archive.namelist() if not name.endswith("/")]
    return [name for name in files if not any(map(is_litter, name.split("/")))]


def _read_npz(path: Path, order: Sequence[int]) -> np.ndarray:
    with _archive(path) as archive:
        names = _members(archive)
        if len(names) != 1 or not names[0].endswith(".npy"):
            listed = ", ".join(sorted(n.removesuffix(".npy") for n in names)[:8]) or "nothing"
            hint = f"; name one of them in the manifest, as {path.name}#NAME" if names else ""
            raise BadFile(path, f"must hold exactly one array, but holds {listed}{hint}")
        with archive.open(names[0]) as file:
            return _read_array(file, path, order)


def read_member(path: Path, name: str, order: Sequence[int] = AS_IN_FILE) -> np.ndarray:
    """The array of a name in an `.npz`. Raises BadFile where it is not there, or pickled."""
    with _archive(path) as archive:
        names = [n.removesuffix(".npy") for n in _members(archive)]
        if name not in names:
            raise BadFile(path, f"holds no array {name!r}, but {', '.join(sorted(names)[:12])}")
        with archive.open(f"{name}.npy") as file:
            return _read_array(file, path, order)


def _read_array(file: BinaryIO, path: Path, order: Sequence[int]) -> np.ndarray:
    shape, dtype, fortran_order = npy.read_header(file)
    check_dtype(dtype, path)
    check_shape(shape, path)
    if fortran_order:  # the same numbers as those of the array with its axes the other way round
        shape, order = shape[::-1], [2 - axis for axis in order]
    try:
        volume = gathered(npy.read_slices(file, shape, dtype), shape, dtype, path, order)
        return volume.T if fortran_order else volume
    except EOFError as error:
        raise BadFile(path, f"is truncated: {error}; copy it again") from None


def natural_key(name: str) -> tuple:
    """Sorts names by the numbers in them: '2_image' before '10_image'."""
    return tuple(
        (0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part.lower())
        for part in re.split(r"([0-9]+)", name)
        if part
    )


def list_slices(folder: Path) -> list[Path]:
    """The B-scan pictures of a folder in numeric order. Raises BadFile if they are ambiguous."""
    pictures = [
        entry
        for entry in folder.iterdir()
        if entry.suffix.lower() in IMAGE_SUFFIXES and not is_litter(entry.name)
    ]
    if not pictures:
        inner = [
            entry for entry in folder.iterdir() if entry.is_dir() and not is_litter(entry.name)
        ]
        hint = f"; did you mean its folder {inner[0].name!r}?" if len(inner) == 1 else ""
        raise BadFile(folder, f"is a folder without pictures{hint}")
    if len(pictures) > MAX_SLICES:
        raise BadFile(folder, f"holds {len(pictures)} pictures (limit: {MAX_SLICES} slices)")
    pictures.sort(key=lambda entry: (natural_key(entry.stem), entry.name))
    for first, second in itertools.pairwise(pictures):
        if natural_key(first.stem) == natural_key(second.stem):
            raise BadFile(folder, f"holds the same slice twice: {first.name!r} and {second.name!r}")
    return pictures


def slice_gaps(folder: Path) -> list[int]:
    """Numbers missing from consecutively numbered pictures; empty where names tell nothing."""
    stems = [entry.stem for entry in list_slices(folder)]
    found = [re.findall(r"[0-9]+", stem) for stem in stems]
    if any(len(numbers) != 1 for numbers in found):
        return []
    numbers = {int(n[0]) for n in found}
    if max(numbers) - min(numbers) > 2 * len(numbers):
        return []
    return sorted(set(range(min(numbers), max(numbers) + 1)) - numbers)


def dicom_files_of(folder: Path) -> list[Path]:
    """The DICOM files of a folder without pictures, in numeric order; [] where it has any."""
    files = [
        entry for entry in folder.iterdir() if entry.is_file() and not is_litter(entry.name)
    ]
    if any(entry.suffix.lower() in IMAGE_SUFFIXES for entry in files):
        return []
    found = [entry for entry in files if is_dicom(_head(entry)) and entry.name != "DICOMDIR"]
    return sorted(found, key=lambda entry: (natural_key(entry.stem), entry.name))


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(HEAD)


def _read_folder(folder: Path, order: Sequence[int]) -> np.ndarray:
    if files := dicom_files_of(folder):
        if len(files) > MAX_SLICES:
            raise BadFile(folder, f"holds {len(files)} files (limit: {MAX_SLICES} slices)")
        return read_dicom(files[0], order) if len(files) == 1 else read_dicom_slices(files, order)
    volume = dtype = None
    pictures = list_slices(folder)
    for index, path in enumerate(pictures):
        b_scan = _read_b_scan(path)
        if volume is None:
            dtype, shape = b_scan.dtype, (len(pictures), *b_scan.shape)
            check_shape(shape, folder)
            volume = room(shape, dtype, order)
        if b_scan.shape != volume.shape[1:]:
            raise BadFile(
                path,
                f"has {b_scan.shape[0]} x {b_scan.shape[1]} pixels (height x width), but "
                f"{pictures[0].name} of the same volume has "
                f"{volume.shape[1]} x {volume.shape[2]}",
            )
        if b_scan.dtype != dtype:
            raise BadFile(path, f"holds {b_scan.dtype}, but {pictures[0].name} holds {dtype}")
        volume[index] = b_scan
    return volume


def _read_picture(path: Path, order: Sequence[int]) -> np.ndarray:
    """(1, depth, width) of a single B-scan, in any order; a coloured picture is taken for a
    photograph."""
    with open_image(path) as opened:
        image = decode(opened, path)
        if _shows_colours(image):
            raise BadFile(
                path, "is a coloured picture, in no known form of a volume; a B-scan is grey"
            )
        return _grey_values(image, path, _is_negative(opened))[None]


def _read_b_scan(path: Path) -> np.ndarray:
    """(depth, width), uint8 or uint16; colours become their luminance."""
    with open_image(path) as opened:
        image = decode(opened, path)
        if _shows_colours(image):
            raise BadFile(
                path,
                "is a coloured picture among B-scans, which are grey: an en-face view or a "
                "photograph? move it out of the folder",
            )
        return _grey_values(image, path, _is_negative(opened))


def _grey_values(image: Image.Image, path: Path, negative: bool) -> np.ndarray:
    """(depth, width), uint8 or uint16, of a decoded picture, of a file whose 0 may be white."""
    if image.mode.startswith("I;16"):
        grey = np.asarray(image).astype(np.uint16)
        # Pillow turns negatives of 8 bits over, and leaves those of 16.
        return np.iinfo(np.uint16).max - grey if negative else grey
    if image.mode in ("I", "F"):
        raise BadFile(path, f"has pixels of Pillow mode {image.mode!r}; save 8 or 16 bits")
    return np.array(image.convert("L"))


def _is_negative(image: Image.Image) -> bool:
    """Whether a TIFF says that its 0 is white."""
    return getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _MIN_IS_WHITE


def _shows_colours(image: Image.Image) -> bool:
    """Whether a decoded picture is more than grey."""
    if image.mode not in ("RGB", "RGBA", "P", "CMYK"):
        return False
    return is_coloured(np.asarray(image.convert("RGB")))

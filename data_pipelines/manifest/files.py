"""Open the files of one row and say what is wrong with them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy import ndimage

from data_pipelines import framing, images, quality, volume_files
from data_pipelines.bad_file import BadFile
from data_pipelines.manifest.inside_out import is_inside_out
from data_pipelines.manifest.mask_codes import read_mask
from data_pipelines.manifest.problems import Problem
from data_pipelines.volume_form import AS_STORED, VolumeForm

# A disc is 0.05 to 0.25 of the field's height, so well below this part of its area.
MAX_DISC_PART = 0.35


def check_eye_files(
    line: int,
    fundus: Path | None,
    oct: Path | None,
    mask: Path | None,
    oct_form: VolumeForm = AS_STORED,
    mask_codes: str | None = None,
) -> list[Problem]:
    """Every problem of an eye's files, as far as they are there; they are decoded completely.

    Among them, of severity NUMBERS, what the numbers of a volume are taken for.
    """
    problems: list[Problem] = []

    def read(reader: Callable, file: Path | None, doubts: Callable) -> np.ndarray | None:
        if file is None:
            return None
        try:
            array = reader(file)
        except BadFile as error:
            problems.append(Problem(line, error.path, error.reason))
            return None
        problems.extend(Problem(line, str(file), *doubt) for doubt in doubts(array))
        return array

    image = read(images.read_fundus, fundus, _doubts_about_fundus)
    ids = read(lambda file: read_mask(file, mask_codes), mask, _doubts_about_mask)
    if image is not None:
        doubts = images.pixel_spacing(fundus).doubts
        problems.extend(Problem(line, str(fundus), doubt, "warning") for doubt in doubts)
    if image is not None and ids is not None:
        doubts = _doubts_about_pair(image, ids, fundus)
        problems.extend(Problem(line, str(mask), *doubt) for doubt in doubts)
    read(
        lambda file: volume_files.read_volume(file, oct_form),
        oct,
        lambda volume: _doubts_about_volume(volume, oct, oct_form),
    )
    return problems


def check_volume_file(line: int, path: Path, oct_form: VolumeForm = AS_STORED) -> list[Problem]:
    """Every problem of an OCT volume; it is decoded completely."""
    return check_eye_files(line, None, path, None, oct_form)


# Severity of what is no problem of a file: what its numbers are taken for. The set's check holds it
# against that of the others.
NUMBERS = "numbers"

# (reason, severity) of each, the last two fields of a Problem.
Doubts = Iterator[tuple[str, str]]


def _doubts_about_fundus(image: np.ndarray) -> Doubts:
    faults = quality.photograph_faults(image)
    yield from ((fault, "error") for fault in faults)
    if not faults:
        yield from ((doubt, "warning") for doubt in quality.photograph_doubts(image))


def _doubts_about_mask(ids: np.ndarray) -> Doubts:
    areas = {name: int(np.count_nonzero(ids == value)) for name, value in _NAMES.items()}
    disc = areas["rim"] + areas["cup"]
    if disc == 0:
        held = ", ".join(str(v) for v in np.unique(ids))
        yield (
            (
                f"has no optic disc: it holds only {held}, neither 1 (rim) nor 2 (cup). "
                "Leave the cell empty if the disc is not labelled; if 255 or 0 means something "
                "else here, say so in a column mask_codes, or convert the masks with "
                "--layout=folder --mask_codes=..."
            ),
            "error",
        )
        return
    labelled = ids.size - areas["ignore"]
    if disc > MAX_DISC_PART * ids.size:
        yield (
            (f"calls {disc / ids.size:.0%} of the picture disc; are background and disc swapped?"),
            "warning",
        )
    elif labelled < 0.05 * ids.size:
        yield f"ignores (255) {1 - labelled / ids.size:.0%} of the picture", "warning"
    if is_inside_out(ids):
        yield "has its rim (1) inside its cup (2); are the two ids swapped?", "warning"
    if not areas["cup"] and not areas["ignore"]:
        yield "has a rim (1) and no cup (2): if the cup is not labelled, ignore it (255)", "warning"
    if not areas["rim"]:
        yield "has a cup (2) as large as the disc: is the disc marked with the cup's id?", "warning"
    if parts := _further_parts(ids):
        yield f"marks disc in {parts + 1} separate places; an eye has one disc", "warning"


_NAMES = {"rim": images.RIM, "cup": images.CUP, "ignore": images.IGNORE}


def _further_parts(ids: np.ndarray) -> int:
    """Regions of disc beside the largest one."""
    disc = (ids == images.RIM) | (ids == images.CUP)
    return ndimage.label(disc, np.ones((3, 3)))[1] - 1


def _doubts_about_pair(image: np.ndarray, ids: np.ndarray, fundus: Path) -> Doubts:
    if ids.shape != image.shape[:2]:
        turned = "; is one of them turned by 90 degrees?" if ids.shape == image.shape[1::-1] else ""
        yield (
            (
                f"has {ids.shape[1]} x {ids.shape[0]} pixels (width x height), the photograph "
                f"{image.shape[1]} x {image.shape[0]}{turned or '; a mask is as large as it'}"
            ),
            "error",
        )
        return
    orientation = images.exif_orientation(fundus)
    if orientation != 1:
        yield (
            (
                f"the photograph carries EXIF orientation {orientation} and is turned when read; "
                "make sure that the mask was drawn on the turned picture"
            ),
            "warning",
        )
    disc = (ids == images.RIM) | (ids == images.CUP)
    if not disc.any():
        return
    frame = framing.find_frame(image, size=1)
    top, left = max(frame.top, 0), max(frame.left, 0)
    inside = disc[top : frame.top + frame.height, left : frame.left + frame.width]
    lost = 1 - np.count_nonzero(inside) / np.count_nonzero(disc)
    if lost > 0.005:
        yield (
            (
                f"{lost:.0%} of the disc lies outside the lit field of the photograph, which is all "
                "that the model sees; do the two belong together?"
            ),
            "warning",
        )


def _doubts_about_volume(volume: np.ndarray, path: Path, oct_form: VolumeForm) -> Doubts:
    faults = quality.volume_faults(volume)
    yield from ((fault, "error") for fault in faults)
    if faults:
        return
    yield from ((doubt, "warning") for doubt in quality.volume_doubts(volume, oct_form))
    yield quality.volume_numbers(volume, oct_form), NUMBERS
    if path.is_dir():
        gaps = volume_files.slice_gaps(path)
        if gaps:
            shown = ", ".join(str(n) for n in gaps[:8]) + (", ..." if len(gaps) > 8 else "")
            yield f"its numbering lacks {len(gaps)} slices: {shown}", "warning"


def fingerprint(path: Path) -> str | None:
    """A hash of a file's bytes, None where it cannot be read."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()


def glance(path: Path) -> str | None:
    """A hash of a file's size, beginning, middle and end; None where it cannot be read."""
    try:
        size = path.stat().st_size
        digest = hashlib.blake2b(str(size).encode(), digest_size=16)
        with open(path, "rb") as file:
            for place in (0, size // 2, max(size - _GLANCE, 0)):
                file.seek(place)
                digest.update(file.read(_GLANCE))
    except OSError:
        return None
    return digest.hexdigest()


_GLANCE = 1 << 16

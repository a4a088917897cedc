"""Harvard-GF and the glaucoma part of FairVision: OCT volumes with class and mean deviation.

| what | where | means |
|---|---|---|
| volume | `{Training,Validation,Test}/data_0001.npz`, array `oct_bscans` | 200 B-scans of 200 x 200; read in place, as `data_0001.npz#oct_bscans` |
| class | `glaucoma` in the .npz, or the summary's | 0 or 1; yes, no |
| MD | `md` in the .npz (GF), or the summary's (FairVision) | dB; there is neither VFI nor PSD |
| split | the folder, or `use` of `data_summary*.csv` | train, val and test are kept |
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection
from pathlib import Path

import numpy as np

from data_pipelines import npy
from data_pipelines.bad_file import describe
from data_pipelines.circular import md_threshold
from data_pipelines.manifest.makers.found import FoundVolumes
from data_pipelines.manifest.makers.sheets import read_columns
from data_pipelines.manifest.makers.swapped import swapped_classes
from data_pipelines.manifest.makers.tree import Tree
from data_pipelines.manifest.problems import Problem
from data_pipelines.manifest.screening import POSSIBLE, ScreeningVolume

SIGNATURE = (r"(training|validation|test|train|val)/data_\d{4,5}\.npz",)

_VOLUME = r"(?:(?P<part>training|train|validation|val|test|testing)/)?(?P<stem>data_\d+)\.npz"
_SUMMARY = r"data_summary[^/]*\.csv"
_PARTS = {"training": "train", "train": "train", "validation": "val", "val": "val",
          "test": "test", "testing": "test"}  # fmt: skip
_CLASSES = {"yes": 1, "no": 0, "1": 1, "0": 0, "1.0": 1, "0.0": 0}
ARRAY = "oct_bscans"
_SLICES = 200

NOTES = [
    "No laterality is published: all eyes are written as OD. Nothing here may be mirrored by side.",
    "One eye a person; the same hospital's sets (Harvard-GF, GDP, FairVision, FairSeg) may share "
    "people under other names: never train on one and test on another.",
    "CC BY-NC-ND: copies that were converted must not be passed on.",
]
CIRCULAR = (
    "The class is a threshold of MD in this set (md <= {threshold:g} dB in every eye): class and MD "
    "are one fact, and a gain of multi-task training measured here is circular."
)


def find_harvard(root: Path) -> FoundVolumes:
    """Finds the volumes of Harvard-GF or FairVision's glaucoma part, whichever root holds."""
    tree, problems = Tree(root), []
    files = tree.matches(_VOLUME)
    if not files:
        return FoundVolumes([], [tree.is_missing(["Training/data_0001.npz"])], [])
    problems += tree.within_a_part("training|validation|test")
    summary = read_summary(tree, problems)
    volumes, empty = [], 0
    for file, match in files:
        values = read_scalars(file, ARRAY, problems)
        if values is None:
            continue
        if values["shape"][0] == 0:
            empty += 1
            continue
        volume = _volume(file, match, values, summary.get(match["stem"].lower(), {}), problems)
        volumes += [] if volume is None else [volume]
    stems = {match["stem"].lower() for _, match in files}
    problems += without_volume(summary, stems, "the summary")
    notes = list(NOTES)
    if empty:
        notes.append(f"{empty} files hold an empty array {ARRAY} and were left out.")
    problems += swapped_classes(volumes)
    notes += circular_notes(volumes)
    return FoundVolumes(sorted(volumes, key=lambda v: v.id), problems, notes)


def glaucoma_of(label, row: dict, file: Path, problems: list[Problem]) -> int | None:
    """0 or 1 from the label of a file, which a row of the summary must not contradict."""
    glaucoma = _CLASSES.get(str(label).strip().lower())
    if glaucoma is None:
        reason = f"glaucoma is {label!r}, in the file or data_summary.csv; expected 0, 1, yes or no"
        problems.append(Problem(None, str(file), reason))
        return None
    stated = _CLASSES.get(row.get("glaucoma", "").lower(), glaucoma)
    if stated != glaucoma:
        reason = f"glaucoma is {glaucoma} in the file, but {stated} in the summary"
        problems.append(Problem(None, str(file), reason))
    return glaucoma


def circular_notes(volumes: list[ScreeningVolume]) -> list[str]:
    """A note where the class of all volumes is a threshold of MD."""
    threshold = md_threshold((v.glaucoma, v.md) for v in volumes)
    return [] if threshold is None else [CIRCULAR.format(threshold=threshold)]


def _volume(file: Path, match: re.Match, values: dict, row: dict, problems: list[Problem]):
    label = values.get("glaucoma", row.get("glaucoma"))
    glaucoma = glaucoma_of(label, row, file, problems)
    if glaucoma is None:
        return None
    if len(values["shape"]) != 3 or values["shape"][0] != _SLICES:
        reason = (
            f"its array {ARRAY} has shape {values['shape']}, not ({_SLICES}, depth, width): is it of "
            "another disease's part (AMD, DR)?"
        )
        problems.append(Problem(None, str(file), reason))
        return None
    split = _PARTS.get((match["part"] or row.get("use") or "").lower(), "")
    told = _PARTS.get((row.get("use") or "").lower(), split)
    if told != split:
        reason = f"lies in {match['part']}, but the summary says use {row['use']}"
        problems.append(Problem(None, str(file), reason))
    name = match["stem"].lower()
    return ScreeningVolume(
        name, name, "OD", "1", split, file.with_name(f"{file.name}#{ARRAY}"), glaucoma,
        md=decibel(values.get("md", row.get("md")), file, problems),
    )  # fmt: skip


def decibel(value, file: Path, problems: list[Problem]) -> float | None:
    """A mean deviation; None, and a warning, where it is impossible."""
    try:
        md = float(value)
    except (TypeError, ValueError):
        return None
    low, high, _ = POSSIBLE["md"]
    if not np.isfinite(md):
        return None
    if not low <= md <= high:
        reason = f"md {md:g} dB is impossible; it is left empty"
        problems.append(Problem(None, str(file), reason, "warning"))
        return None
    return round(md, 4)


def read_scalars(file: Path, array: str | None, problems: list[Problem]) -> dict | None:
    """`glaucoma` and `md` where a file has them, and the `shape` of an array; None if unreadable.

    The volume itself is not read.
    """
    found: dict = {}
    try:
        with zipfile.ZipFile(file) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
            if array is not None and array not in names:
                reason = f"holds no array {array!r}, but {', '.join(sorted(names)[:12])}"
                problems.append(Problem(None, str(file), reason))
                return None
            if array is not None:
                with archive.open(f"{array}.npy") as member:
                    found["shape"], _, _ = npy.read_header(member)
            for name in {"glaucoma", "md"} & names:
                with archive.open(f"{name}.npy") as member:
                    shape, dtype, order = npy.read_header(member)
                    if dtype.kind in "iufb" and int(np.prod(shape)) == 1:
                        found[name] = (
                            npy.read_data(member, shape, dtype, order).reshape(-1)[0].item()
                        )
    except Exception as error:  # zipfile and numpy raise many types on damaged files.
        problems.append(Problem(None, str(file), f"cannot be read ({describe(error)})"))
        return None
    if isinstance(found.get("glaucoma"), float):
        found["glaucoma"] = f"{found['glaucoma']:g}"
    return found


def without_volume(told: Collection[str], stems: Collection[str], where: str) -> list[Problem]:
    """A warning where more eyes are told than there are volumes; both by stem."""
    lacking = sorted(set(told) - set(stems))
    if not lacking:
        return []
    reason = (
        f"{len(lacking)} of {len(told)} eyes of {where} have no volume "
        f"({', '.join(lacking[:5])}{', ...' if len(lacking) > 5 else ''}): is the set complete?"
    )
    return [Problem(None, None, reason, "warning")]


def read_summary(tree: Tree, problems: list[Problem]) -> dict[str, dict[str, str]]:
    """Stem of a file -> its row of the summary."""
    sheets = tree.matches(_SUMMARY)
    if not sheets:
        reason = (
            "has no data_summary*.csv: classes and MD are taken from the files, splits from folders"
        )
        problems.append(Problem(None, str(tree.root), reason, "warning"))
        return {}
    optional = {name: name for name in ("use", "glaucoma", "md")}
    rows = read_columns(sheets[0][0], {"filename": "filename"}, problems, optional)
    return {Path(cells["filename"]).stem.lower(): cells for _, cells in rows}

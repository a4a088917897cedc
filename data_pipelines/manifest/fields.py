"""What the cells of a manifest may hold. Every function raises ValueError with the reason."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from data_pipelines.dicom_photographs import LEAST_MM, MOST_MM
from data_pipelines.manifest.grades import PAPER_GRADES

SPLITS = ("train", "val", "test")

_OTHER_SPLIT_NAMES = {
    "training": "train", "trn": "train", "tr": "train",
    "validation": "val", "valid": "val", "dev": "val", "eval": "val",
    "testing": "test", "tst": "test", "holdout": "test",
}  # fmt: skip

_FORBIDDEN_IN_NAMES = set('/\\:*?"<>|')
_RESERVED_NAMES = {"con", "prn", "aux", "nul"} | {
    f"{device}{digit}" for device in ("com", "lpt") for digit in range(1, 10)
}
MAX_NAME_BYTES = 120


def parse_id(cell: str) -> str:
    """An id names result files, so it must be a safe file name everywhere."""
    if not cell:
        raise ValueError("id is empty")
    if len(cell.encode("utf-8")) > MAX_NAME_BYTES:
        raise ValueError(f"id {cell[:20]!r}... is longer than {MAX_NAME_BYTES} bytes")
    bad = sorted({c for c in cell if c in _FORBIDDEN_IN_NAMES or not c.isprintable()})
    if bad:
        raise ValueError(f"id {cell!r} holds {bad[0]!r}, which no file name may hold")
    if cell[0] in ".-" or cell[-1] == ".":
        raise ValueError(f"id {cell!r} must not start with '.' or '-', nor end with '.'")
    if cell.split(".")[0].lower() in _RESERVED_NAMES:
        raise ValueError(f"id {cell!r} is a reserved file name on Windows")
    return cell


def parse_patient(cell: str) -> str:
    if not cell:
        raise ValueError("patient is empty; write the eye's id where the patient is unknown")
    return cell


def parse_split(cell: str) -> str:
    """train, val, test, or empty."""
    if cell == "" or cell in SPLITS:
        return cell
    lower = cell.lower()
    meant = lower if lower in SPLITS else _OTHER_SPLIT_NAMES.get(lower)
    hint = f"; write {meant!r}" if meant else ""
    raise ValueError(f"split {cell!r} is none of train, val, test or empty{hint}")


def parse_choice(name: str, cell: str, choices: Mapping[str, object], meaning: str) -> object:
    """The value of one of a few spellings."""
    if cell in choices:
        return choices[cell]
    try:
        whole = str(int(float(cell)))
    except (ValueError, OverflowError):
        whole = ""
    if whole in choices and float(cell) == int(float(cell)):
        raise ValueError(f"{name} {cell!r} is not written as a whole number; write {whole}")
    raise ValueError(f"{name} {cell!r} is none of {', '.join(choices)} ({meaning})")


def parse_grade(cell: str, names: Sequence[str] = PAPER_GRADES) -> int | None:
    """The number of a grade of `names`, which go from normal (0) to the worst; None where empty."""
    if cell == "":
        return None
    meaning = f"{', '.join(names)}; empty where unknown"
    return parse_choice("grade", cell, {str(k): k for k in range(len(names))}, meaning)


def parse_glaucoma(cell: str) -> int | None:
    """0 no glaucoma, 1 glaucoma; None where empty, as for suspects."""
    if cell == "":
        return None
    return parse_choice("glaucoma", cell, {"0": 0, "1": 1}, "no, yes; empty where unknown")


_SIDES = {"OD": "OD", "OS": "OS", "R": "OD", "L": "OS"}


def parse_eye(cell: str) -> str:
    """OD (right) or OS (left), from OD, OS, R or L."""
    return parse_choice("eye", cell, _SIDES, "right OD, left OS")


def parse_spacing(cell: str) -> float | None:
    """Side of a photograph's pixel on the retina in mm; None where empty."""
    return parse_measurement("mm_per_pixel", cell, LEAST_MM, MOST_MM, "mm")


def parse_measurement(name: str, cell: str, low: float, high: float, unit: str) -> float | None:
    """A finite number within its possible range; None where empty."""
    if cell == "":
        return None
    try:
        value = float(cell)
    except ValueError:
        raise ValueError(f"{name} {cell!r} is not a number; leave it empty where unknown") from None
    if not math.isfinite(value):
        raise ValueError(f"{name} {cell!r} is not a number; leave it empty where unknown")
    if not low <= value <= high:
        raise ValueError(f"{name} {cell} is impossible: it lies in {low:g}..{high:g} {unit}")
    return value

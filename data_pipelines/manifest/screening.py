"""The OCT screening manifest: one row a volume, with its class and its visual field.

Columns `id,patient,eye,visit,split,oct,glaucoma,vfi,md,psd`. An eye visit (patient, eye,
visit) is a case; it may have several volumes.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterable
from pathlib import Path

from data_pipelines.manifest import form
from data_pipelines.manifest import rows as shared
from data_pipelines.manifest.fields import parse_choice, parse_eye, parse_measurement
from data_pipelines.manifest.form import OCT_FORM, Form, of_split
from data_pipelines.manifest.problems import Problem
from data_pipelines.manifest.roots import Roots
from data_pipelines.manifest.rows import ParsedRow, RowParser
from data_pipelines.manifest.write import used_columns, write_table
from data_pipelines.volume_form import AS_STORED, VolumeForm

COLUMNS = ("id", "patient", "eye", "visit", "split", "oct", "glaucoma", "vfi", "md", "psd")
OPTIONAL = ("source", *OCT_FORM)

# What a perimeter can print: (lowest, highest, unit). Beyond it is an error.
POSSIBLE = {"vfi": (0.0, 100.0, "%"), "md": (-40.0, 10.0, "dB"), "psd": (0.0, 25.0, "dB")}
# What the targets are scaled from; beyond it a value is clipped.
SCALED = {"vfi": (0.0, 100.0), "md": (-33.0, 3.0), "psd": (0.0, 20.0)}

_CLASSES = {"0": 0, "1": 1}


@dataclasses.dataclass(frozen=True)
class ScreeningVolume:
    """One OCT volume of an eye visit.

    Attributes:
      id: unique, and safe as a file name.
      patient: all volumes of a patient are in one split.
      eye: "OD" (right) or "OS" (left).
      visit: names the visit of that eye.
      split: "train", "val", "test", or "" for none.
      oct: the volume, a file or a folder; absolute.
      glaucoma: 0 or 1.
      vfi: visual field index in percent, 0..100; None where not measured.
      md: mean deviation in dB, -40..10; None where not measured.
      psd: pattern standard deviation in dB, 0..25; None where not measured.
      source: the data set that it comes from, or "".
      oct_axes, oct_range: what the volume's axes and numbers mean, see VolumeForm.
    """

    id: str
    patient: str
    eye: str
    visit: str
    split: str
    oct: Path
    glaucoma: int
    vfi: float | None = None
    md: float | None = None
    psd: float | None = None
    source: str = ""
    oct_axes: str | None = None
    oct_range: str | None = None

    @property
    def oct_form(self) -> VolumeForm:
        """How the volume is to be taken."""
        return VolumeForm(self.oct_axes, self.oct_range)

    @property
    def is_donor(self) -> bool:
        """Whether its visual field is complete; what it has of one it lends in any case."""
        return None not in (self.vfi, self.md, self.psd)


@dataclasses.dataclass(frozen=True)
class ScreeningManifest:
    """A screening manifest that was read without errors; see Manifest."""

    path: Path
    root: Path
    volumes: tuple[ScreeningVolume, ...]
    data_root: Path | None = None

    def split(self, name: str) -> tuple[ScreeningVolume, ...]:
        """The volumes of a split: "train", "val", "test", or "" for those in none."""
        return of_split(self.volumes, name)


def read_screening_manifest(
    path: os.PathLike | str,
    data_root: os.PathLike | str | None = None,
    oct_form: VolumeForm = AS_STORED,
) -> ScreeningManifest:
    """Reads a screening manifest; arguments and errors as read_manifest."""
    return form.read(FORM, path, data_root, oct_form)


def parse_screening_manifest(
    path: os.PathLike | str,
    data_root: os.PathLike | str | None = None,
    oct_form: VolumeForm = AS_STORED,
) -> tuple[ScreeningManifest, list[ParsedRow], list[Problem]]:
    """The volumes of the faultless rows, what could be understood of all rows, all problems."""
    return form.parse(FORM, path, data_root, oct_form)


def _parse_row(parser: RowParser) -> None:
    parser.field("eye", parse_eye)
    parser.field("visit", _parse_visit)
    parser.file("oct", required=True, folder_allowed=True)
    parser.field(
        "glaucoma", lambda cell: parse_choice("glaucoma", cell, _CLASSES, "normal, glaucoma")
    )
    for name in POSSIBLE:
        parser.field(name, functools.partial(parse_index, name))
    parser.field("source", str)


def parse_index(name: str, cell: str) -> float | None:
    """A visual-field index of POSSIBLE in its unit; None where the cell is empty."""
    low, high, unit = POSSIBLE[name]
    return parse_measurement(name, cell, low=low, high=high, unit=unit)


def _parse_visit(cell: str) -> str:
    if not cell:
        raise ValueError("visit is empty; number the visits of an eye, or write 1")
    return cell


def _check_rows(rows: list[ParsedRow]) -> list[Problem]:
    return shared.check_shared_files(rows, "oct") + _check_cases(rows) + _count_clipped(rows)


def _check_cases(rows: list[ParsedRow]) -> list[Problem]:
    """Volumes of one eye visit must agree on its class and its visual field."""

    def case(row: ParsedRow) -> tuple:
        return tuple(row.get(name) for name in ("patient", "eye", "visit"))

    problems = []
    for volumes in shared.grouped([row for row in rows if None not in case(row)], case):
        for row in volumes[1:]:
            for name in ("glaucoma", *POSSIBLE):
                problems += _compare(name, row, volumes[0])
    return problems


def _compare(name: str, row: ParsedRow, first: ParsedRow) -> list[Problem]:
    """What is wrong with a value of two volumes of the same eye visit."""
    here, there = row.get(name), first.get(name)
    if here == there or name not in row.values or name not in first.values:
        return []
    if None in (here, there):
        full, empty = (first, row) if here is None else (row, first)
        reason = (
            f"{name} is empty, but {full.get(name):g} on line {full.line}, the same eye visit: "
            "fill it in, else the volume borrows what is its own"
        )
        return [Problem(empty.line, None, reason, "warning")]
    reason = f"{name} is {here:g}, but {there:g} on line {first.line}, the same eye visit"
    return [Problem(row.line, None, reason, "error" if name == "glaucoma" else "warning")]


def _count_clipped(rows: list[ParsedRow]) -> list[Problem]:
    problems = []
    for name, (low, high) in SCALED.items():
        values = [row.get(name) for row in rows if row.get(name) is not None]
        clipped = sum(not low <= value <= high for value in values)
        if clipped:
            reason = f"{clipped} of {len(values)} {name} values lie outside {low:g}..{high:g} "
            reason += "and will be clipped to it as targets"
            problems.append(Problem(None, None, reason, severity="warning"))
    return problems


FORM = Form(COLUMNS, ScreeningVolume, ScreeningManifest, _parse_row, _check_rows, OPTIONAL)


def write_screening_manifest(
    path: os.PathLike | str,
    volumes: Iterable[ScreeningVolume],
    data_root: os.PathLike | str | None = None,
    record: dict | None = None,
) -> None:
    """Writes a screening manifest; arguments and errors as write_manifest."""

    def cells(volume: ScreeningVolume, roots: Roots) -> list[str]:
        field = ["" if v is None else f"{v:g}" for v in (volume.vfi, volume.md, volume.psd)]
        file = shared.relative_to_roots(volume.oct, roots)
        names = [volume.id, volume.patient, volume.eye, volume.visit, volume.split]
        optional = [getattr(volume, name) or "" for name in used]
        return [*names, file, str(volume.glaucoma), *field, *optional]

    volumes = list(volumes)
    used = used_columns(volumes, OPTIONAL)
    write_table(Path(path), (*COLUMNS, *used), volumes, cells, data_root, record)

"""The multimodal manifest: one row an eye, `id,patient,split,fundus,oct,mask,grade`.

It may have more columns, OPTIONAL. What its grades are called is said beside it, see `manifest.grades`.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from data_pipelines.manifest import form
from data_pipelines.manifest import rows as shared
from data_pipelines.manifest.fields import parse_eye, parse_glaucoma, parse_grade, parse_spacing
from data_pipelines.manifest.form import OCT_FORM, Form, of_split
from data_pipelines.manifest.grades import PAPER_GRADES, read_grade_names
from data_pipelines.manifest.mask_codes import checked_codes
from data_pipelines.manifest.problems import ManifestError, Problem, errors, in_order
from data_pipelines.manifest.roots import Roots
from data_pipelines.manifest.rows import ParsedRow, RowParser
from data_pipelines.manifest.write import used_columns, write_table
from data_pipelines.volume_form import AS_STORED, VolumeForm

COLUMNS = ("id", "patient", "split", "fundus", "oct", "mask", "grade")
OPTIONAL = ("glaucoma", "eye", "source", "mm_per_pixel", *OCT_FORM, "mask_codes")


@dataclasses.dataclass(frozen=True)
class Eye:
    """One eye: its files (absolute paths) and labels; None is "not available".

    Attributes:
      id: unique, and safe as a file name.
      patient: all eyes of a patient are in one split.
      split: "train", "val", "test", or "" for none.
      fundus: the colour photograph.
      oct: the volume, a file or a folder.
      mask: PNG of ids (0 background, 1 rim, 2 cup, 255 ignore) or of mask_codes, as large as the
        photograph.
      grade: number of the set's grade, 0 = normal, see `Manifest.grade_names`.
      glaucoma: 0 no, 1 yes, where that is known; a set may tell it and no grade.
      eye: "OD" (right) or "OS" (left).
      source: the data set that it comes from, or "".
      mm_per_pixel: side of a pixel of the photograph on the retina.
      oct_axes, oct_range: what the volume's axes and numbers mean, see VolumeForm.
      mask_codes: what the mask's values mean where they are no ids, see parse_mask_codes.
    """

    id: str
    patient: str
    split: str
    fundus: Path
    oct: Path | None = None
    mask: Path | None = None
    grade: int | None = None
    glaucoma: int | None = None
    eye: str | None = None
    source: str = ""
    mm_per_pixel: float | None = None
    oct_axes: str | None = None
    oct_range: str | None = None
    mask_codes: str | None = None

    @property
    def oct_form(self) -> VolumeForm:
        """How the volume is to be taken."""
        return VolumeForm(self.oct_axes, self.oct_range)


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A manifest that was read without errors.

    Attributes:
      path: the CSV file.
      root: its folder, which relative paths start from.
      eyes: one for each row, in the order of the file.
      data_root: where files are looked for next, or None.
      grade_names: of the set's grades, from normal (0) to the worst.
      doubts: id -> what a check doubted of the eye; {} where there was none.
    """

    path: Path
    root: Path
    eyes: tuple[Eye, ...]
    data_root: Path | None = None
    grade_names: tuple[str, ...] = PAPER_GRADES
    doubts: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def split(self, name: str) -> tuple[Eye, ...]:
        """The eyes of a split: "train", "val", "test", or "" for those in none."""
        return of_split(self.eyes, name)


def read_manifest(
    path: os.PathLike | str,
    data_root: os.PathLike | str | None = None,
    oct_form: VolumeForm = AS_STORED,
) -> Manifest:
    """Reads a multimodal manifest; opens none of its files, but makes sure they exist.

    Args:
      path: the CSV file; its cells are relative to its folder.
      data_root: where files are looked for that are not under that folder; by default the
        one recorded in the manifest's sidecar (`manifest.json`), if there is one.
      oct_form: of the volumes whose row does not say it.

    Raises:
      ManifestError: with the problems of all rows.
    """
    manifest, _, problems = parse_manifest(path, data_root, oct_form)
    if errors(problems):
        raise ManifestError(problems)
    return manifest


def parse_manifest(
    path: os.PathLike | str,
    data_root: os.PathLike | str | None = None,
    oct_form: VolumeForm = AS_STORED,
) -> tuple[Manifest, list[ParsedRow], list[Problem]]:
    """The eyes of the faultless rows, what could be understood of all rows, and all problems."""
    problems: list[Problem] = []
    names = read_grade_names(Path(path), problems)
    of_grades = dataclasses.replace(
        FORM,
        manifest=functools.partial(Manifest, grade_names=names),
        parse_row=functools.partial(_parse_row, grade_names=names),
    )
    manifest, rows, found = form.parse(of_grades, path, data_root, oct_form)
    return manifest, rows, in_order([*problems, *found])


def _parse_row(parser: RowParser, grade_names: Sequence[str] = PAPER_GRADES) -> None:
    parser.file("fundus", required=True)
    parser.file("oct", folder_allowed=True)
    parser.file("mask")
    parser.field("grade", lambda cell: parse_grade(cell, grade_names))
    parser.field("glaucoma", parse_glaucoma)
    parser.field("eye", lambda cell: parse_eye(cell) if cell else None)
    parser.field("source", str)
    parser.field("mm_per_pixel", parse_spacing)
    parser.field("mask_codes", lambda cell: checked_codes(cell) if cell else None)
    values = parser.parsed.values
    if len(grade_names) == 2 and values.get("grade", "wrong") is None:
        values["grade"] = values.get("glaucoma")  # of two grades it says which


def _check_rows(rows: list[ParsedRow]) -> list[Problem]:
    shared_files = shared.check_shared_files(rows, "fundus")
    return shared_files + _check_mixed_files(rows) + _check_labels_agree(rows)


def _check_labels_agree(rows: list[ParsedRow]) -> list[Problem]:
    """A grade above normal is glaucoma, and normal is none."""
    reason = "glaucoma is {glaucoma}, but grade {grade}: a grade above 0 is glaucoma"
    return [
        Problem(row.line, None, reason.format(glaucoma=row.get("glaucoma"), grade=row.get("grade")))
        for row in rows
        if None not in (row.get("glaucoma"), row.get("grade"))
        and row.get("glaucoma") != (row.get("grade") > 0)
    ]


def _check_mixed_files(rows: list[ParsedRow]) -> list[Problem]:
    """Files that are given for something else as well."""
    problems = []
    for row in rows:
        if row.get("mask") is not None and row.get("mask") == row.get("fundus"):
            reason = "the mask is the photograph itself"
            problems.append(Problem(row.line, str(row.get("mask")), reason))
    for name, same_allowed in (("mask", "fundus"), ("oct", "patient")):
        for sharing in shared.grouped_by_file(rows, name):
            first = sharing[0]
            for row in sharing[1:]:
                if row.get(same_allowed) == first.get(same_allowed):
                    continue
                reason = f"{name} is that of another {same_allowed} (line {first.line})"
                problems.append(Problem(row.line, str(row.get(name)), reason))
    return problems


FORM = Form(COLUMNS, Eye, Manifest, _parse_row, _check_rows, OPTIONAL)


def write_manifest(
    path: os.PathLike | str,
    eyes: Iterable[Eye],
    data_root: os.PathLike | str | None = None,
    record: dict | None = None,
    grade_names: Sequence[str] = PAPER_GRADES,
) -> None:
    """Writes a manifest; whole or not at all.

    Args:
      path: the CSV file; its folder is made.
      eyes: in this order. Files are written relative to the manifest's folder, or to
        data_root if they are not under it.
      data_root: recorded in the sidecar (`manifest.json`), so that readers need not be told.
      record: anything else worth keeping in the sidecar, e.g. the seed of the splits.
      grade_names: of the grades; others than the paper's get a file beside the manifest.

    Raises:
      ValueError: a file lies under neither.
    """

    def cells(eye: Eye, roots: Roots) -> list[str]:
        files = [shared.relative_to_roots(f, roots) for f in (eye.fundus, eye.oct, eye.mask)]
        labels = [getattr(eye, name) for name in ("grade", *used)]
        names = [eye.id, eye.patient, eye.split]
        return [*names, *files, *("" if label is None else str(label) for label in labels)]

    eyes = list(eyes)
    used = used_columns(eyes, OPTIONAL)
    columns = (*COLUMNS, *used)
    write_table(Path(path), columns, eyes, cells, data_root, record, tuple(grade_names))

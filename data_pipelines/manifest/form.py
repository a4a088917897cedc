"""What both manifests share: reading a table of one form into rows, items and problems."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from data_pipelines.manifest.fields import SPLITS
from data_pipelines.manifest.problems import ManifestError, Problem, errors, in_order
from data_pipelines.manifest.roots import find_roots
from data_pipelines.manifest.rows import ParsedRow, RowParser, check_ids, check_patients
from data_pipelines.manifest.table import read_table
from data_pipelines.volume_form import AS_STORED, VolumeForm, parse_axes, parse_range

T = TypeVar("T")

# Columns of both that say what a volume's axes and numbers mean.
OCT_FORM = ("oct_axes", "oct_range")


@dataclasses.dataclass(frozen=True)
class Form:
    """One kind of manifest.

    Attributes:
      columns: of the table.
      item: makes what a row describes from the parsed cells, by name.
      manifest: makes the whole from (path, root, items, data_root).
      parse_row: parses the cells of a row but for id, patient and split.
      check_rows: what the rows must agree on but for ids and patients.
      optional: columns that a table may have; `parse_row` meets an empty cell where it has not.
    """

    columns: tuple[str, ...]
    item: Callable
    manifest: Callable
    parse_row: Callable[[RowParser], None]
    check_rows: Callable[[list[ParsedRow]], list[Problem]]
    optional: tuple[str, ...] = ()


def read(
    form: Form,
    path: os.PathLike | str,
    data_root: os.PathLike | str | None,
    oct_form: VolumeForm = AS_STORED,
):
    """The manifest of a file; raises ManifestError with the problems of all rows."""
    manifest, _, problems = parse(form, path, data_root, oct_form)
    if errors(problems):
        raise ManifestError(problems)
    return manifest


def parse(
    form: Form,
    path: os.PathLike | str,
    data_root: os.PathLike | str | None,
    oct_form: VolumeForm = AS_STORED,
) -> tuple:
    """The manifest of the faultless rows, what could be understood of all rows, all problems.

    `oct_form` is that of the volumes whose row does not say it.
    """
    path = Path(path)
    problems: list[Problem] = []
    roots = find_roots(path, data_root, problems)
    rows = []
    for row in read_table(path, form.columns, problems, form.optional):
        parser = RowParser(row, roots, problems)
        parser.identity()
        form.parse_row(parser)
        parser.field("oct_axes", lambda cell: parse_axes(cell) if cell else oct_form.axes)
        parser.field("oct_range", lambda cell: checked_range(cell) if cell else oct_form.range)
        rows.append(parser.parsed)
    problems += check_ids(rows) + check_patients(rows) + form.check_rows(rows)
    whole = [row for row in rows if row.values.keys() >= {*form.columns, *form.optional}]
    items = tuple(form.item(**row.values) for row in whole)
    manifest = form.manifest(path, roots.folder, items, roots.data_root)
    return manifest, rows, in_order(problems)


def checked_range(cell: str) -> str:
    """The cell, which is a range. Raises ValueError where it is none."""
    parse_range(cell)
    return cell


def of_split(items: Iterable[T], name: str) -> tuple[T, ...]:
    """The items of a split: "train", "val", "test", or "" for those in none."""
    if name not in (*SPLITS, ""):
        raise ValueError(f"no split {name!r}; there are {', '.join(SPLITS)} and ''")
    return tuple(item for item in items if item.split == name)

"""What both manifests share: ids, patients, splits and files of their rows."""

from __future__ import annotations

import dataclasses
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from data_pipelines.likely_names import likely_same_key, same_name_key
from data_pipelines.manifest.fields import parse_id, parse_patient, parse_split
from data_pipelines.manifest.problems import Problem
from data_pipelines.manifest.roots import RealPaths, Roots
from data_pipelines.manifest.table import Row


@dataclasses.dataclass
class ParsedRow:
    """One row on its way to an eye or a volume; `values` lacks what could not be parsed."""

    line: int
    values: dict[str, object]

    def get(self, name: str):
        """The value; None where the cell is empty or could not be parsed."""
        return self.values.get(name)

    def is_given(self, name: str) -> bool:
        """Whether the cell holds something, be it wrong."""
        return self.values.get(name, "wrong") is not None


class RowParser:
    """Parses the cells of one row, collecting every reason on the way."""

    def __init__(self, row: Row, roots: Roots, problems: list[Problem]):
        self.row, self.roots, self.problems = row, roots, problems
        self.parsed = ParsedRow(row.line, {})

    def field(self, name: str, parse: Callable[[str], object]) -> None:
        try:
            self.parsed.values[name] = parse(self.row.cells.get(name, ""))
        except ValueError as error:
            self.problems.append(Problem(self.row.line, None, str(error)))

    def identity(self) -> None:
        self.field("id", parse_id)
        self.field("patient", parse_patient)
        self.field("split", parse_split)

    def file(self, name: str, *, required: bool = False, folder_allowed: bool = False) -> None:
        cell = self.row.cells[name]
        if not cell:
            if required:
                self.problems.append(Problem(self.row.line, None, f"{name} is empty"))
            else:
                self.parsed.values[name] = None
            return
        try:
            found = self.roots.find(cell, folder_allowed=folder_allowed)
            self.parsed.values[name] = found
        except ValueError as error:
            self.problems.append(Problem(self.row.line, cell, f"{name} {error}"))


def check_ids(rows: list[ParsedRow]) -> list[Problem]:
    """The same id twice, or two ids that some file systems take for the same."""
    problems = []
    seen: dict[str, ParsedRow] = {}
    for row in rows:
        if "id" not in row.values:
            continue
        first = seen.setdefault(same_name_key(row.get("id")), row)
        if first is row:
            continue
        if first.get("id") == row.get("id"):
            reason = f"id {row.get('id')!r} is already that of line {first.line}"
        else:
            reason = (
                f"id {row.get('id')!r} differs only in case or accents' encoding from "
                f"{first.get('id')!r} of line {first.line}: their result files would collide"
            )
        problems.append(Problem(row.line, None, reason))
    return problems


def check_patients(rows: list[ParsedRow]) -> list[Problem]:
    """A patient in two splits: what is measured would be partly memory."""
    problems = []
    in_splits = [row for row in rows if row.get("split") and row.get("patient")]
    for same in grouped(in_splits, lambda row: row.get("patient")):
        first = same[0]
        for row in same[1:]:
            if row.get("split") != first.get("split"):
                problems.append(Problem(row.line, None, _shared_patient(row, first)))
    for alike in grouped(in_splits, lambda row: likely_same_key(row.get("patient"))):
        problems += _check_spellings(alike)
    return problems


def _check_spellings(rows: list[ParsedRow]) -> list[Problem]:
    """A warning for each further spelling of what may be one patient, in another split."""
    problems = []
    firsts: dict[tuple[str, str], ParsedRow] = {}
    for row in rows:
        firsts.setdefault((row.get("patient"), row.get("split")), row)
    told: set[str] = set()
    for row in firsts.values():
        name = row.get("patient")
        others = (
            other
            for other in firsts.values()
            if other.line < row.line
            and other.get("patient") != name
            and other.get("split") != row.get("split")
        )
        other = next(others, None)
        if other is None or name in told:
            continue
        told.add(name)
        reason = _shared_patient(row, other)
        reason += f" (written {other.get('patient')!r} there: the same person?)"
        problems.append(Problem(row.line, None, reason, "warning"))
    return problems


def _shared_patient(row: ParsedRow, first: ParsedRow) -> str:
    return (
        f"patient {row.get('patient')!r} is in {row.get('split')} here and in "
        f"{first.get('split')} on line {first.line}; keep a patient in one split"
    )


def check_shared_files(rows: list[ParsedRow], name: str) -> list[Problem]:
    """The same file in two rows: an error across splits, a warning within one."""
    problems = []
    for sharing in grouped_by_file(rows, name):
        first = sharing[0]
        for row in sharing[1:]:
            severity = "error" if different_splits(first, row) else "warning"
            reason = f"{name} is already that of line {first.line}"
            if severity == "error":
                reason += f", which is in {first.get('split')}: the splits share an eye"
            problems.append(Problem(row.line, str(row.get(name)), reason, severity))
    return problems


def different_splits(first: ParsedRow, second: ParsedRow) -> bool:
    """Whether both are in a split, and not in the same."""
    splits = {first.get("split"), second.get("split")}
    return len(splits) == 2 and not splits & {"", None}


def grouped(rows: list[ParsedRow], key: Callable[[ParsedRow], str]) -> list[list[ParsedRow]]:
    """Rows with the same key together, in order of appearance."""
    groups: dict[str, list[ParsedRow]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return list(groups.values())


def grouped_by_file(rows: list[ParsedRow], name: str) -> list[list[ParsedRow]]:
    """Rows together whose column `name` is the same file, links followed."""
    with_file, real = [row for row in rows if row.get(name) is not None], RealPaths()
    return grouped(with_file, lambda row: real.of(row.get(name)))


def relative_to_roots(file: Path | None, roots: Roots) -> str:
    """How a manifest writes a file: relative, with '/', to its folder, else to data_root."""
    if file is None:
        return ""
    absolute = Path(os.path.abspath(file))
    for root in (roots.folder, roots.data_root):
        if root is not None and absolute.is_relative_to(root):
            return absolute.relative_to(root).as_posix()
    places = " nor ".join(str(r) for r in (roots.folder, roots.data_root) if r is not None)
    raise ValueError(f"{file} lies neither under {places}; give data_root")

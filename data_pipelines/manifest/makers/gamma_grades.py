"""GAMMA's sheet of grades: columns data, non, early, mid_advanced, one-hot."""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection
from pathlib import Path
from zipfile import BadZipFile

from data_pipelines.bad_file import describe
from data_pipelines.manifest.problems import Problem

_GRADE_COLUMNS = ("non", "early", "midadvanced")  # In the order of the grades 0, 1, 2.

# What openpyxl lets through of a damaged zip, XML or workbook.
_DAMAGED = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    SyntaxError,
    EOFError,
    BadZipFile,
    zlib.error,
)


def read_grades(path: Path, known: Collection[int], problems: list[Problem]) -> dict[int, int]:
    """Number of the eye -> grade, for the rows without fault.

    Args:
      path: an .xlsx file.
      known: the numbers of the eyes that have a photograph.
      problems: is appended to, with the sheet's row numbers.
    """
    rows = _read_rows(path, problems)
    if rows is None:
        return {}
    grades: dict[int, int] = {}
    first_row: dict[int, int] = {}
    for row, (name, *one_hot) in rows:
        number = _whole_number(name)
        reason = None
        if number is None:
            reason = f"data {name!r} is not the number of an eye"
        elif number in first_row:
            reason = f"eye {number:04d} is already in row {first_row[number]}"
        elif number not in known:
            reason = f"eye {number:04d} has no photograph"
        values = [_whole_number(value) for value in one_hot]
        if sorted(values, key=str) != [0, 0, 1]:
            shown = ", ".join("empty" if v is None else str(v) for v in one_hot)
            told = f"non, early, mid_advanced are {shown}; exactly one must be 1, the others 0"
            reason = told if reason is None else f"{reason}; {told}"
        if reason is not None:
            problems.append(Problem(row, str(path), reason))
        else:
            grades[number] = values.index(1)
        first_row.setdefault(number, row)
    return grades


def _read_rows(path: Path, problems: list[Problem]) -> list[tuple[int, tuple]] | None:
    """(row number, (data, non, early, mid_advanced)) of every row that is not blank."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, data_only=True)
    except _DAMAGED as error:
        reason = f"cannot be read as an Excel workbook ({describe(error)})"
        problems.append(Problem(None, str(path), reason))
        return None
    for sheet in book.worksheets:
        rows = list(enumerate(sheet.iter_rows(values_only=True), start=1))
        for number, header in rows[:5]:
            names = [re.sub(r"[^a-z]", "", str(cell or "").lower()) for cell in header]
            if not {"data", *_GRADE_COLUMNS} <= set(names):
                continue
            columns = [names.index(name) for name in ("data", *_GRADE_COLUMNS)]
            below = [(n, tuple(cells[c] for c in columns)) for n, cells in rows[number:]]
            return [(n, cells) for n, cells in below if any(c is not None for c in cells)]
    reason = "has no sheet with the columns data, non, early, mid_advanced"
    problems.append(Problem(None, str(path), reason))
    return None


def _whole_number(cell: object) -> int | None:
    """1 from 1, 1.0, '1', '0001'; None from anything else."""
    try:
        value = float(str(cell).strip())
    except ValueError:
        return None
    return int(value) if value.is_integer() and value >= 0 else None

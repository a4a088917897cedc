"""Tables as sets publish them: Excel or CSV, headers of several rows, preambles above."""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile

from data_pipelines.bad_file import describe
from data_pipelines.manifest.problems import Problem

# What openpyxl lets through of a damaged zip, XML or workbook.
DAMAGED = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    SyntaxError,
    EOFError,
    BadZipFile,
    zlib.error,
)

_HEADER_ROWS = 8


def read_columns(
    path: Path,
    columns: Mapping[str, str],
    problems: list[Problem],
    optional: Mapping[str, str] | None = None,
) -> list[tuple[int, dict[str, str]]]:
    """(row number, cells by name) of the rows below the header.

    Args:
      path: an .xlsx or .csv file; the first sheet that has the columns counts.
      columns: name -> regular expression of its title, in any case, anywhere in the first rows:
        titles may stand in several rows above each other.
      problems: is appended to, where the file cannot be read or lacks a column.
      optional: columns that may be absent; their cells are then "".
    """
    try:
        sheets = _read_workbook(path) if path.suffix.lower() == ".xlsx" else [_read_csv(path)]
    except DAMAGED as error:
        problems.append(Problem(None, str(path), f"cannot be read as a table ({describe(error)})"))
        return []
    wanted = dict(columns) | dict(optional or {})
    for rows in sheets:
        places = {name: _place(rows[:_HEADER_ROWS], title) for name, title in wanted.items()}
        if any(places[name] is None for name in columns):
            continue
        below = 1 + max(place[0] for place in places.values() if place is not None)
        return [
            (number + 1, {n: _cell(cells, place) for n, place in places.items()})
            for number, cells in enumerate(rows)
            if number >= below and any(cell.strip() for cell in cells)
        ]
    titles = ", ".join(columns)
    first = ", ".join(cell for cell in (sheets[0][0] if sheets and sheets[0] else []) if cell)
    reason = f"has no columns {titles}; its first row is {first or 'empty'}"
    problems.append(Problem(None, str(path), reason))
    return []


def _read_workbook(path: Path) -> list[list[list[str]]]:
    import openpyxl

    book = openpyxl.load_workbook(path, data_only=True)
    return [
        [["" if cell is None else str(cell).strip() for cell in row] for row in rows]
        for rows in (list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets)
    ]


def _read_csv(path: Path) -> list[list[str]]:
    text = path.read_text("utf-8-sig")
    return [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text))]


def _place(rows: list[list[str]], title: str) -> tuple[int, int] | None:
    """(row, column) of the first title that fits."""
    for number, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            if re.fullmatch(title, cell, re.IGNORECASE):
                return number, column
    return None


def _cell(cells: list[str], place: tuple[int, int] | None) -> str:
    return cells[place[1]] if place is not None and place[1] < len(cells) else ""


def whole_number(cell: str) -> int | None:
    """1 from '1', '1.0', '0001'; None from anything else."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return int(value) if value.is_integer() else None

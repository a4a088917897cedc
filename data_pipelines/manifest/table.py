"""Read the text of a manifest into rows of cells, and say everything that is wrong with it."""

from __future__ import annotations

import csv
import dataclasses
import difflib
import io
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.manifest.problems import Problem

MAX_BYTES = 100_000_000

# Columns that nothing learns from, and that a report scores by their groups.
SUBGROUPS = ("source", "camera", "eye", "sex", "race", "ethnicity", "age_group", "age")

_NOT_TEXT = (
    (b"PK", "is a zip or an Excel workbook; save the sheet as 'CSV UTF-8'"),
    (b"\xff\xfe", "is UTF-16 text; save it as 'CSV UTF-8'"),
    (b"\xfe\xff", "is UTF-16 text; save it as 'CSV UTF-8'"),
)


@dataclasses.dataclass(frozen=True)
class Row:
    """The cells of one line by column name, stripped of spaces around them."""

    line: int
    cells: dict[str, str]


def read_header(path: Path) -> list[str]:
    """The column names of a manifest; empty where they cannot be read."""
    lines = _parse_csv(_read_text(path, []) or "", path, [])
    return [cell.strip() for cell in lines[0][1]] if lines else []


def read_table(
    path: Path, columns: Sequence[str], problems: list[Problem], optional: Sequence[str] = ()
) -> list[Row]:
    """Reads a manifest's rows; adds to `problems` all that is wrong with its text.

    Args:
      path: a CSV file, UTF-8 (a byte order mark is accepted), comma separated, any line ends.
      columns: the columns that must be there.
      problems: is appended to.
      optional: columns that may be there; all others are left out, with a warning for those that
        are not SUBGROUPS.
    """
    text = _read_text(path, problems)
    if text is None:
        return []
    lines = _parse_csv(text, path, problems)
    if not lines:
        if not problems:
            problems.append(Problem(None, str(path), _header_hint("is empty", columns)))
        return []
    header = [cell.strip() for cell in lines[0][1]]
    if not _check_header(header, columns, optional, path, problems):
        return []
    used = [name for name in header if name in (*columns, *optional)]
    rows = [_make_row(line, cells, header, used, problems) for line, cells in lines[1:]]
    rows = [row for row in rows if row is not None]
    if len(lines) == 1:
        problems.append(Problem(None, str(path), "has a header but no rows"))
    return rows


def _header_hint(what: str, columns: Sequence[str]) -> str:
    return f"{what}; the first line must be: {','.join(columns)}"


def _read_text(path: Path, problems: list[Problem]) -> str | None:
    """The decoded file, or None with the reason among the problems."""

    def refuse(reason: str, line: int | None = None) -> None:
        problems.append(Problem(line, str(path), reason))

    if not path.exists():
        return refuse("does not exist; give the manifest's CSV file")
    if path.is_dir():
        inside = path / "manifest.csv"
        hint = f"; did you mean {inside}?" if inside.exists() else "; give the CSV file in it"
        return refuse(f"is a folder, not a manifest{hint}")
    if not path.is_file():
        return refuse("is not an ordinary file")
    if path.stat().st_size > MAX_BYTES:
        return refuse(f"is no manifest: more than {MAX_BYTES} bytes")
    try:
        data = path.read_bytes()
    except OSError as error:
        return refuse(f"cannot be read ({error.strerror})")
    for start, reason in _NOT_TEXT:
        if data.startswith(start):
            return refuse(reason)
    if b"\x00" in data:
        line = data[: data.index(b"\x00")].count(b"\n") + 1
        return refuse("holds NUL bytes: it is not a text file; save it as 'CSV UTF-8'", line)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        byte = data[error.start]
        return refuse(f"byte 0x{byte:02x} is not UTF-8; save it as 'CSV UTF-8'", line)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _parse_csv(text: str, path: Path, problems: list[Problem]) -> list[tuple[int, list[str]]]:
    """(line number, cells) of every line that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines = []
    start = 1
    try:
        for cells in reader:
            if reader.line_num > start:
                problems.append(
                    Problem(
                        start,
                        None,
                        f"a quoted cell runs on to line {reader.line_num}; is a quote missing?",
                        severity="warning",
                    )
                )
            if any(cell.strip() for cell in cells):
                lines.append((start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        problems.append(
            Problem(
                start, str(path), f"cannot be read from this line on ({error}); mend its quotes"
            )
        )
    return lines


def _check_header(
    header: list[str],
    columns: Sequence[str],
    optional: Sequence[str],
    path: Path,
    problems: list[Problem],
) -> bool:
    """Whether the rows below this header can be understood."""
    if header[0].lower().startswith("sep="):
        reason = f"begins with a line of Excel's, {','.join(header)!r}; delete that line"
        problems.append(Problem(1, str(path), _header_hint(reason, columns)))
        return False
    missing = [name for name in columns if name not in header]
    if len(missing) > len(columns) / 2 and len(header) == 1:
        for delimiter, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if delimiter in header[0]:
                reason = f"is separated by {name}; separate the cells by commas"
                problems.append(Problem(1, str(path), reason))
                return False
    lower = {name.lower(): name for name in header}
    if len(missing) == len(columns) and len(lower.keys() & set(columns)) > len(columns) / 2:
        reason = f"has its column names in capital letters ({lower.get('id', header[0])!r}, ...)"
        problems.append(Problem(1, str(path), _header_hint(reason, columns)))
        return False
    if len(missing) == len(columns):
        problems.append(Problem(1, str(path), _header_hint("has no header", columns)))
        return False
    problems += [
        Problem(1, str(path), reason) for reason in _missing_in_words(missing, header, columns)
    ]
    known = (*columns, *optional)
    twice = sorted({name for name in header if name in known and header.count(name) > 1})
    for name in twice:
        problems.append(Problem(1, str(path), f"column {name!r} is there twice"))
    extra = [name or "(no name)" for name in header if name not in (*known, *SUBGROUPS)]
    if extra:
        problems.append(
            Problem(1, str(path), f"columns not used: {', '.join(extra)}", severity="warning")
        )
    return not missing and not twice


def _missing_in_words(
    missing: Sequence[str], header: Sequence[str], columns: Sequence[str]
) -> list[str]:
    """What is said of columns that a header lacks: those that another name stands for, then the others."""
    reasons, absent = [], []
    for name in missing:
        near = difflib.get_close_matches(name, [h.lower() for h in header], 1, 0.75)
        found = [h for h in header if near and h.lower() == near[0] and h not in columns]
        if found:
            reasons.append(f"column {name!r} is missing; rename {found[0]!r}")
        else:
            absent.append(name)
    if len(absent) == 1:
        reasons.append(f"column {absent[0]!r} is missing; add it (its cells may be empty)")
    elif absent:
        told = f"columns {', '.join(map(repr, absent))} are missing (cells may be empty)"
        reasons.append(_header_hint(told, columns))
    return reasons


def _make_row(
    line: int, cells: list[str], header: list[str], columns: Sequence[str], problems: list[Problem]
) -> Row | None:
    if len(cells) != len(header):
        reason = (
            f"has {len(cells)} cells, the header has {len(header)}; "
            "quote cells that hold a comma, and write empty cells too"
        )
        problems.append(Problem(line, None, reason))
        return None
    by_name = dict(zip(header, cells, strict=True))
    padded = [name for name in columns if by_name[name] != by_name[name].strip()]
    if padded:
        reason = f"spaces around the cells of {', '.join(padded)} are ignored"
        problems.append(Problem(line, None, reason, severity="warning"))
    return Row(line, {name: by_name[name].strip() for name in columns})

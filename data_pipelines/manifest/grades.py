"""The grades of a set: their names, from normal to the worst, in a small file beside the manifest.

`manifest.grades.txt` beside `manifest.csv` has one name a line; the first is of grade 0, an eye
without glaucoma, and the column `grade` has the numbers. Empty lines and lines that begin with # are passed over. A manifest without that file has
the three grades of the IMO paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data_pipelines.manifest.problems import Problem

PAPER_GRADES = ("normal", "early", "mid/advanced")
BINARY_GRADES = ("normal", "glaucoma")

MAX_GRADES = 20
MAX_LENGTH = 40
# They separate names in flags, in cells of the tables that are written and in DICOM objects.
FORBIDDEN = ',;=|"#\\'


def grades_file(path: Path) -> Path:
    """`manifest.grades.txt` of `manifest.csv`."""
    return path.with_suffix(".grades.txt")


def read_grade_names(path: Path, problems: list[Problem]) -> tuple[str, ...]:
    """The names of a manifest's grades, from the file beside it; as read_names."""
    return read_names(grades_file(path), problems)


def read_names(file: Path, problems: list[Problem]) -> tuple[str, ...]:
    """The names of a file, one a line; the paper's where there is none, or, with a problem, where
    it is wrong."""
    if not file.exists():
        return PAPER_GRADES
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(None, str(file), f"cannot be read ({error}); write UTF-8 text"))
        return PAPER_GRADES
    names = tuple(name for line in lines if (name := line.strip()) and not name.startswith("#"))
    reasons = name_problems(names)
    problems += [Problem(None, str(file), reason) for reason in reasons]
    return PAPER_GRADES if reasons else names


def name_problems(names: Sequence[str]) -> list[str]:
    """Everything that is wrong with the names of a set's grades, in words."""
    found = []
    if not 2 <= len(names) <= MAX_GRADES:
        found.append(
            f"names {len(names)} grades, one a line: write 2 to {MAX_GRADES}, from normal to the worst"
        )
    for name in names:
        bad = next((c for c in name if c in FORBIDDEN or not c.isprintable()), None)
        if bad is not None:
            found.append(f"grade {name!r} holds {bad!r}, which no name may hold; rename it")
        if len(name) > MAX_LENGTH:
            found.append(f"grade {name[:20]!r}... is longer than {MAX_LENGTH} characters")
    seen: dict[str, str] = {}
    for name in names:
        first = seen.setdefault(name.replace("/", "_").lower(), name)
        if first is not name:
            found.append(f"grade {name!r} is there twice (as {first!r})")
    return found


def grades_text(names: Sequence[str]) -> str:
    """What the file of grades holds."""
    return "# The grades, from normal (0) to the worst.\n" + "".join(f"{n}\n" for n in names)

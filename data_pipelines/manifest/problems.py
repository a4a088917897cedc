"""What is wrong with an input, and how to say it all at once."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
      row: the line of the manifest, as an editor numbers it (the header is line 1); None
        where the problem is of no single row.
      file: the file that it concerns, as the reader would look for it; None for the table.
      reason: what is wrong and what to do about it.
      severity: "error" (the run cannot start) or "warning" (it can, but look at it).
    """

    row: int | None
    file: str | None
    reason: str
    severity: str = "error"

    def __str__(self) -> str:
        parts = [self.severity]
        if self.row is not None:
            parts.append(f"line {self.row}")
        if self.file is not None:
            parts.append(str(self.file))
        return ": ".join([*parts, self.reason])


class ManifestError(ValueError):
    """A manifest that cannot be used. `problems` lists everything found, warnings included."""

    def __init__(self, problems: Iterable[Problem]):
        self.problems = list(problems)
        super().__init__("\n" + format_problems(self.problems))


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Those that stop a run."""
    return [problem for problem in problems if problem.severity == "error"]


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Without repetitions; the table's problems first, then row by row, errors first."""
    unique = dict.fromkeys(problems)
    return sorted(unique, key=lambda p: (p.row or 0, p.severity != "error"))


# So many problems that say the same of different rows are said one by one.
FEW_ALIKE = 3


def format_problems(problems: Iterable[Problem]) -> str:
    """One line for each problem, and a last line with the counts.

    What says the same of many rows is said once, with the lines of the others.
    """
    problems = list(problems)
    num_errors = len(errors(problems))
    if not problems:
        return "no problem found"
    lines = []
    for alike in _alike(problems):
        shown = alike if len(alike) <= FEW_ALIKE else alike[:1]
        lines += map(str, shown)
        if len(shown) < len(alike):
            others = ", ".join(str(problem.row) for problem in alike[1:21])
            more = ", ..." if len(alike) > 21 else ""
            lines.append(f"{alike[0].severity}: and {len(alike) - 1} more like it, lines {others}{more}")
    lines.append(f"{_count(num_errors, 'error')}, {_count(len(problems) - num_errors, 'warning')}")
    return "\n".join(lines)


def _alike(problems: list[Problem]) -> list[list[Problem]]:
    """The problems, those of rows together that differ in row, file and numbers alone."""
    groups: dict[object, list[Problem]] = {}
    for number, problem in enumerate(problems):
        reason = _NUMBER.sub("#", problem.reason)
        key = number if problem.row is None else (problem.severity, reason)
        groups.setdefault(key, []).append(problem)
    return list(groups.values())


_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

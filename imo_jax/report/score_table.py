"""The table of scores that a report begins with, and the same as lines of text."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from imo_jax.report.page import Table

BY_SOURCE = "On each data set of the manifest, by its column source, the network's scores stand alone, too."

Summary = Mapping[str, Any]  # key -> {"value", "low", "high"}, None, or what was evaluated


def columns_of(summary: Summary, others: Mapping[str, Summary]) -> dict[str, Summary]:
    """What stands beside the scores of a network: others, and its own on each data set alone."""
    own = summary.get("by_source", {})
    return {**others, **{f"on {name}": scores for name, scores in own.items()}}


def score_table(
    name: str, summary: Summary, others: Mapping[str, Summary], scores: Mapping[str, str]
) -> Table:
    """Each score that is defined: the network's with its interval, then those of others.

    Args:
      name: of the network.
      summary: key -> {"value", "low", "high"} or None.
      others: name -> summary, such as the baseline and controls.
      scores: key -> what to call it.
    """
    columns = ["score", name, "95 % interval", *(n.replace("_", " ") for n in others)]
    rows = [
        (
            title,
            f"{value['value']:.3f}",
            f"{value['low']:.3f} to {value['high']:.3f}",
            *(number(other.get(key)) for other in others.values()),
        )
        for key, title in scores.items()
        if (value := summary.get(key)) is not None
    ]
    return Table(columns, rows, "lead")


def score_lines(
    summary: Summary,
    others: Mapping[str, Summary],
    scores: Mapping[str, str],
    *,
    title: str,
    value: str,
    widths: tuple[int, int, int, int],
) -> list[str]:
    """The scores that are defined as lines of text: with their intervals, and beside them others.

    Args:
      summary, others, scores: as score_table.
      title, value: over the names and the values.
      widths: of names, values and intervals, and the least one of the others.
    """
    names, values, intervals, least = widths
    columns = {name.replace("_", " "): other for name, other in others.items()}
    room = {name: max(least, len(name)) for name in columns}
    head = [title.ljust(names), value.rjust(values), "95 % interval".rjust(intervals)]
    lines = ["  ".join(head + [name.rjust(room[name]) for name in columns])]
    for key, name in scores.items():
        if (found := summary.get(key)) is None:
            continue
        interval = f"{found['low']:.3f} .. {found['high']:.3f}"
        cells = [f"{name:{names}}", f"{found['value']:{values}.3f}", interval.rjust(intervals)]
        cells += [number(other.get(key), "-").rjust(room[n]) for n, other in columns.items()]
        lines.append("  ".join(cells))
    return lines


def number(value: Mapping[str, float] | None, unknown: str = "–") -> str:
    """A score without its interval; `unknown` where it is not defined."""
    return unknown if value is None or not np.isfinite(value["value"]) else f"{value['value']:.3f}"

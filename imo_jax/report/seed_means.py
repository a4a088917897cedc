"""Scores of several seeds as one (value and interval ends averaged), and as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imo_jax.report.page import Section

Interval = dict[str, float]
SEEDS_IN_WORDS = "Seeds: the smallest and the largest difference of a seed, how far trainings vary."


def over_seeds(summaries: Sequence[Mapping[str, Any]], key: str) -> Interval | None:
    """Value and interval ends, each averaged over the seeds; None where a seed has none."""
    known = [summary.get(key) for summary in summaries]
    values = [value for value in known if value is not None]
    if len(values) < len(known):
        return None
    return {end: float(np.mean([v[end] for v in values])) for end in ("value", "low", "high")}


def cell(value: Interval | None, style: str = ".3f") -> str:
    """A value with its interval as text."""
    if value is None:
        return "-"
    return f"{value['value']:{style}} ({value['low']:{style}} to {value['high']:{style}})"


def difference_cell(summaries: Sequence[Mapping[str, Any]], key: str) -> str:
    """A difference as `cell`, with its smallest and largest of a seed where there are several.

    The interval shows which eyes were drawn, the seeds how far one training is from the next: only
    what is clear of 0 in both belongs to the method.
    """
    mean = over_seeds(summaries, key)
    if mean is None or len(summaries) < 2:
        return cell(mean, "+.3f")
    values = [summary[key]["value"] for summary in summaries]
    return f"{cell(mean, '+.3f')[:-1]}; seeds {min(values):+.3f} to {max(values):+.3f})"


def in_markdown(section: Section) -> str:
    """The table of a section as Markdown, then its words."""
    table = section.table
    parts = [] if table is None else [markdown(table.columns, table.rows)]
    return "\n\n".join([*parts, *section.text])


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of texts."""
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])

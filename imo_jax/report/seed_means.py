"""Scores of several seeds as one (value and interval ends averaged), and as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imo_jax.report.page import Section

Interval = dict[str, float]


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


def in_markdown(section: Section) -> str:
    """The table of a section as Markdown, then its words."""
    table = section.table
    parts = [] if table is None else [markdown(table.columns, table.rows)]
    return "\n\n".join([*parts, *section.text])


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of texts."""
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])

"""The table of scores that a report begins with."""

from typing import Any

import numpy as np

from imo_jax.report.page import Table

BY_SOURCE = "On each data set of the manifest, by its column source, the network's scores stand alone, too."


def columns_of(summary: dict[str, Any], others: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What stands beside the scores of a network: others, and its own on each data set alone."""
    own = summary.get("by_source", {})
    return {**others, **{f"on {name}": scores for name, scores in own.items()}}


def score_table(
    name: str, summary: dict[str, Any], others: dict[str, dict[str, Any]], scores: dict[str, str]
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


def number(value: dict[str, float] | None) -> str:
    """A score without its interval; – where it is not defined."""
    return "–" if value is None or not np.isfinite(value["value"]) else f"{value['value']:.3f}"

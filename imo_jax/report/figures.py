"""Figures that several reports show: confusion, ROC, calibration, learning curves."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import ArrayLike

from imo_jax.metrics import calibration, ranking
from imo_jax.report.charts import UNIT, Axis, Series, chart, interval_chart, spanning
from imo_jax.report.page import Figure

Curve = tuple[str, ArrayLike, ArrayLike]  # name, steps and scores


def confusion_matrix(counts: np.ndarray, names: Sequence[str]) -> str:
    """(G, G) counts -> an HTML table whose cells are shaded by their share of the row."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = []
    for name, row in zip(names, counts, strict=True):
        total = max(int(row.sum()), 1)
        cells = "".join(f'<td style="--share: {n / total:.3f}">{n}</td>' for n in row)
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    return (
        f'<table class="matrix"><thead><tr><th>true \\ predicted</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def roc_figure(
    scores: Mapping[str, tuple[np.ndarray, np.ndarray]],
    what: str,
    marks: Sequence[Series] = (),
) -> Figure:
    """ROC curves: name -> score and whether it is positive; one without both classes is left out.

    `marks` are drawn over them, such as the points at which decisions are reported.
    """
    series, said = [], []
    for name, (score, positive) in scores.items():
        if positive.all() or not positive.any():
            continue
        series.append(Series(name, *ranking.roc_curve(score, positive)))
        said.append(f"{name} {float(ranking.auc(score, positive)):.3f}")
    title = f"ROC of {what}; area under the curve: {', '.join(said)}"
    axes = Axis("1 - specificity", *UNIT), Axis("sensitivity", *UNIT)
    return Figure(chart([*series, *marks], *axes, title=title, diagonal=True), title)


def calibration_figure(bins: dict[str, np.ndarray], what: str) -> Figure:
    """Reliability diagram: name -> sums of `calibration_bins`."""
    series = []
    for name, sums in bins.items():
        confidence, accuracy, count = calibration.reliability_curve(sums)
        labels = [f"{int(n)} at {c:.2f}: {a:.2f} right"
                  for n, c, a in zip(count, confidence, accuracy, strict=True)]  # fmt: skip
        series.append(Series(name, confidence, accuracy, "curve", labels))
    title = f"Calibration of {what}: on the diagonal what is said with 80 % is right in 80 %"
    axes = Axis("probability given", *UNIT), Axis("share that is right", *UNIT)
    return Figure(chart(series, *axes, title=title, diagonal=True), title)


def learning_curves(
    curves: Sequence[Curve],
    title: str = "Scores on the validation split",
) -> list[Figure]:
    """Validation scores by step; [] where there are none.

    Args:
      curves: of validations.
      title: of what they are, without the step.
    """
    if not curves:
        return []
    series = [Series(*curve, "curve") for curve in curves]
    title = f"{title} by train step"
    axes = (
        spanning("step", [0], *(steps for _, steps, _ in curves)),
        spanning("score", *(scores for _, _, scores in curves)),
    )
    return [Figure(chart(series, *axes, title=title), title)]


def interval_figure(
    rows: Sequence[tuple[str, Mapping[str, float] | None]], name: str, also: ArrayLike = ()
) -> Figure:
    """Values with their 95 % intervals, a line each.

    Args:
      rows: names and {"value", "low", "high"}, or None.
      name: of the value.
      also: what else is to be on the axis, such as 0.
    """
    ends = [[value["low"], value["high"]] for _, value in rows if value is not None]
    title = f"{name}; lines: 95 % intervals"
    return Figure(interval_chart(rows, spanning(name, ends, also), title=title), title)

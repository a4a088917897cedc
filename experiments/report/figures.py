"""Figures that several reports show: confusion, ROC, calibration, learning curves."""

import pathlib
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from experiments import validation_log
from experiments.report.charts import UNIT, Axis, Series, chart, spanning
from experiments.report.page import Figure
from imo_jax.metrics import calibration, ranking


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
    file: pathlib.Path, curves: Mapping[str, str], title: str = "Scores on the validation split"
) -> list[Figure]:
    """Validation scores by step, as far as they are defined: column of `file` -> its name."""
    if not file.exists():
        return []
    table = validation_log.read(file)
    names = [name for name in curves if name in table and table[name].notna().any()]
    if not names:
        return []
    series = [Series(curves[name], table["step"], table[name], "curve") for name in names]
    axes = spanning("step", [0], table["step"]), spanning("score", table[names].to_numpy())
    title = f"{title} by train step"
    return [Figure(chart(series, *axes, title=title), title)]

"""Plots of a screening evaluation, as (height, width, 3) uint8 images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from imo_jax.labels import SCREENING_NAMES
from imo_jax.metrics import binary, ranking
from imo_jax.metrics.regression import pearson
from imo_jax.visual_field import INDICES, TITLES, UNITS
from imo_jax.visualisation.colours import SERIES
from imo_jax.visualisation.plots import new_figure, pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLASS_SERIES = (SERIES[0], SERIES[4])  # normal, glaucoma
Scores = tuple[np.ndarray, np.ndarray]  # P(glaucoma) (N,) and "has glaucoma" (N,) bool


def roc_plot(
    methods: Mapping[str, Scores],
    thresholds: Mapping[str, float] | None = None,
    title: str = "",
) -> np.ndarray:
    """Sensitivity against 1 - specificity, with the points at which decisions are reported.

    Args:
      methods: name -> scores, see `screening_summary.scores_and_classes`; one without both classes
        is left out.
      thresholds: name -> the threshold chosen on validation, marked beside that of 0.5.
    """
    figure, (ax,) = new_figure(5.0, 4.8)
    ax.plot([0, 1], [0, 1], color="#888888", lw=1, ls="--")
    for k, (name, (score, positive)) in enumerate(methods.items()):
        if positive.all() or not positive.any():
            continue
        colour = SERIES[k % len(SERIES)]
        label = f"{name} (AUC {float(ranking.auc(score, positive)):.3f})"
        ax.plot(*ranking.roc_curve(score, positive), color=colour, lw=1.8, label=label)
        _operating_point(ax, score, positive, 0.5, colour, "o")
        if thresholds and name in thresholds:
            _operating_point(ax, score, positive, thresholds[name], colour, "D")
    ax.scatter([], [], color="#444444", marker="o", label="threshold 0.5")
    if thresholds:
        ax.scatter([], [], color="#444444", marker="D", s=24, label="threshold of validation")
    ax.set(xlabel="1 - specificity", ylabel="sensitivity", title=title)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    ax.legend(frameon=False, fontsize=9, loc="lower right")
    return pixels(figure)


def _operating_point(
    ax: Axes, score: np.ndarray, positive: np.ndarray, threshold: float, colour: str, marker: str
) -> None:
    matrix = binary.confusion(score, positive, threshold).sum(axis=0)
    point = 1.0 - binary.specificity(matrix), binary.sensitivity(matrix)
    size = {"o": 48, "D": 36}[marker]
    ax.scatter(*point, s=size, color=colour, marker=marker, edgecolors="white", lw=0.8, zorder=3)


def visual_field_scatter(
    measured: np.ndarray, predicted: np.ndarray, glaucoma: np.ndarray
) -> np.ndarray:
    """Predicted against measured visual field, a panel each, with r and mean error in the title.

    Args:
      measured, predicted: (N, 3) in percent and dB; NaN leaves an example out of that panel.
      glaucoma: (N,) 0 or 1, which colours the points.
    """
    figure, axes = new_figure(4.3 * len(INDICES), 4.9, len(INDICES))
    for j, (ax, name) in enumerate(zip(axes, INDICES, strict=True)):
        kept = np.isfinite(measured[:, j]) & np.isfinite(predicted[:, j])
        _field_panel(ax, name, measured[kept, j], predicted[kept, j], glaucoma[kept])
    return pixels(figure)


def _field_panel(
    ax: Axes, name: str, measured: np.ndarray, predicted: np.ndarray, glaucoma: np.ndarray
) -> None:
    unit = UNITS[name]
    for label, (class_name, colour) in enumerate(zip(SCREENING_NAMES, CLASS_SERIES, strict=True)):
        own = glaucoma == label
        ax.scatter(
            measured[own], predicted[own], s=24, color=colour, alpha=0.75, edgecolors="white",
            lw=0.5, label=class_name,
        )  # fmt: skip
    scores = f"n = {len(measured)}"
    if len(measured):
        both = np.concatenate([measured, predicted])
        margin = 0.05 * max(np.ptp(both), 1e-3)
        ends = both.min() - margin, both.max() + margin
        ax.plot(ends, ends, color="#888888", lw=1, ls="--", zorder=0)
        ax.set(xlim=ends, ylim=ends, box_aspect=1)
        error = np.abs(predicted - measured).mean()
        scores = f"r = {_correlation(measured, predicted)}, MAE {error:.2f} {unit}, {scores}"
        ax.legend(frameon=False, fontsize=9, loc="upper left")
    ax.set_title(f"{TITLES[name]}\n{scores}", fontsize=11)
    symbol = name.upper()
    ax.set(xlabel=f"measured {symbol} ({unit})", ylabel=f"predicted {symbol} ({unit})")


def _correlation(measured: np.ndarray, predicted: np.ndarray) -> str:
    value = pearson(measured, predicted)(np.ones((1, len(measured))))[0]
    return f"{value:.2f}" if np.isfinite(value) else "undefined"

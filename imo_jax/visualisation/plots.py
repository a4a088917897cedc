"""Plots of an evaluation or a run, as (height, width, 3) uint8 images.

Figures are made through matplotlib's objects, not pyplot: no global state, no display needed. It is
imported when something is drawn: programs start without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from imo_jax.metrics.calibration import ece, reliability_curve
from imo_jax.visualisation.colours import SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 120
Interval = Mapping[str, float]


def new_figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of `width` x `height` inches with a row of plain axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(1, columns)))
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=10)
    return figure, axes


def pixels(figure: Figure) -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def confusion_matrix(matrix: np.ndarray, names: Sequence[str], title: str = "") -> np.ndarray:
    """Counts of (true, predicted), shaded by the share of the true class.

    Args:
      matrix: (G, G) counts, rows = truth.
      names: G.
    """
    figure, (ax,) = new_figure(5.0, 4.2)
    totals = matrix.sum(axis=1, keepdims=True)
    share = matrix / np.maximum(totals, 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        colour = "white" if share[row, column] > 0.55 else "#222222"
        cell = f"{int(count)}\n{100 * share[row, column]:.0f} %"
        ax.text(column, row, cell, ha="center", va="center", fontsize=12, color=colour)
    rows = [f"{name}\n(n = {int(n)})" for name, n in zip(names, totals[:, 0], strict=True)]
    ax.set_xticks(range(len(names)), names, fontsize=11)
    ax.set_yticks(range(len(names)), rows, fontsize=11)
    ax.spines[:].set_visible(False)
    ax.set(xlabel="predicted", ylabel="true", title=title)
    return pixels(figure)


def learning_curves(
    panels: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]], x_label: str = "step"
) -> np.ndarray:
    """A panel beside a panel, each with its curves.

    Args:
      panels: title -> curve name -> (x values, y values); NaN leaves a gap.
    """
    figure, axes = new_figure(4.4 * len(panels), 3.4, len(panels))
    for ax, (title, curves) in zip(axes, panels.items(), strict=True):
        for k, (name, (x, y)) in enumerate(curves.items()):
            ax.plot(x, y, color=SERIES[k % len(SERIES)], lw=1.8, label=name)
        ax.set(title=title, xlabel=x_label)
        ax.grid(alpha=0.25)
        if len(curves) > 1:
            ax.legend(frameon=False, fontsize=10)
    return pixels(figure)


def reliability_diagram(
    bins: Mapping[str, np.ndarray], title: str = "", y_label: str = "accuracy"
) -> np.ndarray:
    """What came true against stated probability; a point's area grows with its examples.

    Args:
      bins: curve name -> (num_bins, 3) from `calibration.calibration_bins`.
      y_label: what came true: accuracy of the stated class, share of a stated class, ...
    """
    figure, (ax,) = new_figure(4.6, 4.4)
    ax.plot([0, 1], [0, 1], color="#888888", lw=1, ls="--", label="perfect")
    for k, (name, sums) in enumerate(bins.items()):
        stated, accuracy, count = reliability_curve(sums)
        if len(count) == 0:
            continue
        colour, area = SERIES[k % len(SERIES)], 20 + 180 * np.sqrt(count / count.max())
        ax.plot(stated, accuracy, color=colour, lw=1.5)
        label = f"{name} (ECE {float(ece(sums)):.3f})"
        ax.scatter(stated, accuracy, s=area, color=colour, alpha=0.6, label=label)
    ax.set(xlabel="stated probability", ylabel=y_label, title=title)
    ax.set(xlim=(-0.02, 1.04), ylim=(-0.02, 1.04), aspect="equal")
    _small_markers(ax)
    return pixels(figure)


def _small_markers(ax: Axes) -> None:
    """A legend whose markers do not take the size of the points."""
    legend = ax.legend(frameon=False, fontsize=10, loc="upper left")
    for handle in legend.legend_handles:
        if hasattr(handle, "set_sizes"):
            handle.set_sizes([40])


def vcdr_scatter(
    true: np.ndarray, predicted: np.ndarray, spread: np.ndarray | None = None, title: str = ""
) -> np.ndarray:
    """Predicted against true vertical cup-to-disc ratio, with the spread over samples as bars.

    Args:
      true, predicted: (N,); eyes with a NaN in either are left out.
      spread: (N,) standard deviations, NaN = unknown, or None.
    """
    figure, (ax,) = new_figure(4.6, 4.4)
    kept = np.isfinite(true) & np.isfinite(predicted)
    true, predicted = true[kept], predicted[kept]
    ax.plot([0, 1], [0, 1], color="#888888", lw=1, ls="--")
    if spread is not None:
        bars = np.nan_to_num(spread[kept], nan=0.0)
        ax.errorbar(true, predicted, bars, fmt="none", ecolor=SERIES[0], alpha=0.45, lw=1)
    ax.scatter(true, predicted, s=26, color=SERIES[0], alpha=0.8, edgecolors="white", lw=0.5)
    if len(true):
        error = f"mean error {np.abs(predicted - true).mean():.3f}, n = {len(true)}"
        ax.text(0.97, 0.03, error, ha="right", va="bottom", transform=ax.transAxes, fontsize=10)
    ax.set(xlabel="true vertical CDR", ylabel="predicted vertical CDR", title=title)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    return pixels(figure)


def interval_points(
    scores: Mapping[str, Mapping[str, Interval | None]], title: str = ""
) -> np.ndarray:
    """A panel a metric: each method's score as a point with its 95 % interval, on a scale of its own.

    Points, not bars: what tells methods apart are hundredths, and a bar would have to begin at 0.

    Args:
      scores: method -> metric -> {"value", "low", "high"}; None or absent leaves a gap. The
        metrics of the first method are the panels.
    """
    metrics = list(next(iter(scores.values())))
    height = 1.1 + 0.32 * len(scores)
    figure, axes = new_figure(1.6 + 2.6 * len(metrics), height, len(metrics))
    for ax, metric in zip(axes, metrics, strict=True):
        for y, values in enumerate(scores.values()):
            if (score := values.get(metric)) is None:
                continue
            value, low, high = (score[name] for name in ("value", "low", "high"))
            color = SERIES[y % len(SERIES)]
            ax.errorbar(
                value,
                y,
                xerr=[[value - low], [high - value]],
                fmt="o",
                color=color,
                ms=5,
                capsize=3,
            )
        ax.set_ylim(len(scores) - 0.5, -0.5)
        ax.set_yticks(range(len(scores)), list(scores) if ax is axes[0] else [], fontsize=10)
        ax.set_title(metric.replace("_", " "), fontsize=10)
        ax.locator_params(axis="x", nbins=4)
        ax.grid(axis="x", alpha=0.25)
        ax.set_axisbelow(True)
    if title:
        figure.suptitle(title, fontsize=11)
    return pixels(figure)

import subprocess
import sys

import numpy as np
import pytest

from imo_jax.metrics.calibration import calibration_bins
from imo_jax.visualisation import plots


def interval(value):
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


STEPS = np.arange(5)
RNG = np.random.default_rng(0)
BINS = calibration_bins(RNG.random(200), RNG.random(200) < 0.5)


def curves(k):
    two = {"a": (STEPS, STEPS), "b": (STEPS, -STEPS)}
    return plots.learning_curves({"loss": {"train": (STEPS, np.cos(STEPS * k))}, "dice": two})


def vcdr(k):
    true, predicted = np.array([0.3, 0.5, np.nan]), np.array([0.3, k / 9, 0.1])
    return plots.vcdr_scatter(true, predicted, np.array([0.1, np.nan, 0.1]))


def points(k):
    ours, theirs = {"dice": interval(k / 9), "qwk": None}, {"dice": interval(0.5)}
    return plots.interval_points({"ours": ours, "one step": theirs})


DRAWN = {
    "confusion": lambda k: plots.confusion_matrix(np.diag([3, k, 0]), ("a", "b", "c"), "title"),
    "curves": curves,
    "reliability": lambda k: plots.reliability_diagram({"a": BINS, "b": BINS * (1, 1, 1 / k)}),
    "vcdr": vcdr,
    "points": points,
}


@pytest.mark.parametrize("name", DRAWN)
def test_plots_are_images_that_follow_their_input(name):
    first, second = DRAWN[name](2), DRAWN[name](5)
    assert first.dtype == np.uint8 and first.ndim == 3 and first.shape[-1] == 3
    assert first.mean() > 150 and first.std() > 5, "dark ink on white paper"
    assert first.shape != second.shape or (first != second).any()
    np.testing.assert_array_equal(first, DRAWN[name](2))


def test_empty_input_is_drawn():
    nothing = np.array([])
    for image in (
        plots.confusion_matrix(np.zeros((3, 3), int), ("a", "b", "c")),
        plots.reliability_diagram({"pixels": np.zeros((10, 3))}),
        plots.vcdr_scatter(nothing, nothing),
        plots.interval_points({"ours": {"dice": None}}),
    ):
        assert image.dtype == np.uint8


def test_pyplot_is_not_loaded():
    code = (
        "import sys, imo_jax.visualisation.plots, imo_jax.visualisation.overlays;"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

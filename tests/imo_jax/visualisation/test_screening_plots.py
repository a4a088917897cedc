import numpy as np
import pytest

from imo_jax.visualisation import screening_plots

RNG = np.random.default_rng(0)
POSITIVE = RNG.random(80) < 0.5
MEASURED = np.stack([RNG.normal(70, 20, 80), RNG.normal(-8, 6, 80), RNG.normal(5, 3, 80)], axis=-1)


def roc(k):
    score = np.clip(0.5 + 0.1 * k * (POSITIVE - 0.5) + 0.3 * RNG.normal(size=80), 0, 1)
    methods = {"ours": (score, POSITIVE), "chance": (np.full(80, 0.5), POSITIVE)}
    return screening_plots.roc_plot(methods, {"ours": 0.1 * k}, title="test")


def field(k):
    predicted = MEASURED + k * np.array([1.0, 0.3, 0.2])
    return screening_plots.visual_field_scatter(MEASURED, predicted, POSITIVE.astype(int))


@pytest.mark.parametrize("drawn", [roc, field])
def test_plots_are_images_that_follow_their_input(drawn):
    first, second = drawn(2), drawn(6)
    assert first.dtype == np.uint8 and first.ndim == 3 and first.shape[-1] == 3
    assert first.mean() > 150 and first.std() > 5, "dark ink on white paper"
    assert first.shape != second.shape or (first != second).any()


def test_chosen_thresholds_are_marked():
    methods = {"ours": (MEASURED[:, 0] / 100, POSITIVE)}
    drawn = [screening_plots.roc_plot(methods, t) for t in (None, {"ours": 0.3}, {"ours": 0.8})]
    assert (drawn[0] != drawn[1]).any() and (drawn[1] != drawn[2]).any()


def test_empty_and_one_class_input_is_drawn():
    nothing = np.zeros(0), np.zeros(0, bool)
    one_class = np.array([0.2, 0.4]), np.array([True, True])
    assert screening_plots.roc_plot({"a": nothing, "b": one_class}).dtype == np.uint8
    field = np.full((2, 3), np.nan)
    field[:, 0] = 50.0  # two equal values of one index, none of the others
    image = screening_plots.visual_field_scatter(field, field, np.array([0, 1]))
    assert image.dtype == np.uint8

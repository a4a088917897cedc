import jax.numpy as jnp
import numpy as np
import pytest

from data_pipelines.manifest.screening import POSSIBLE, SCALED
from imo_jax import visual_field


def test_ranges_and_units_are_those_of_the_manifest():
    assert visual_field.RANGES == SCALED
    assert visual_field.UNITS == {name: unit for name, (_, _, unit) in POSSIBLE.items()}
    assert tuple(visual_field.RANGES) == tuple(visual_field.TITLES) == visual_field.INDICES


def test_scale_by_hand():
    values = np.array([[0.0, -33.0, 0.0], [50.0, -15.0, 10.0], [100.0, 3.0, 20.0]])
    expected = np.array([[0.1] * 3, [0.5] * 3, [0.9] * 3])
    np.testing.assert_allclose(visual_field.scale(values), expected)
    np.testing.assert_allclose(visual_field.unscale(expected), values, atol=1e-12)
    beyond = visual_field.scale(np.array([120.0, -40.0, 25.0]))
    np.testing.assert_allclose(beyond, [0.9, 0.1, 0.9])
    np.testing.assert_allclose(visual_field.unscale(np.array([0.95, 0.0, 1.0])), [100, -33, 20])
    assert (
        np.isnan(visual_field.scale(np.array([np.nan, 0.0, 0.0]))).tolist() == [True] + [False] * 2
    )


@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray])
def test_inverse_in_either_library(kind):
    low, high = np.array([visual_field.RANGES[name] for name in visual_field.INDICES]).T
    values = np.random.default_rng(0).uniform(low, high, (4, 5, 3)).astype(np.float32)
    scaled = visual_field.scale(kind(values))
    assert type(scaled) is type(kind(values)) and scaled.dtype == np.float32
    np.testing.assert_allclose(visual_field.unscale(scaled), values, atol=1e-4)

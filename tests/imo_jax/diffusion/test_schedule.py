"""The cosine schedule against values of the released code's formula."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.diffusion.schedule import alpha_sigma, log_snr


def textbook(t):
    """The released formula as it is written, in float64."""
    x = math.cos(math.pi / 2 * (t + 0.0002) / 1.00025) ** -2 - 1
    return -math.log(max(x, 1e-5))


@pytest.mark.parametrize(
    ("t", "expected"),
    [(0.0, 11.513), (1 / 3, 1.098), (2 / 3, -1.099), (0.999, -12.815), (1.0, -18.904)],
)
def test_values(t, expected):
    assert textbook(t) == pytest.approx(expected, abs=1e-3)
    assert float(log_snr(jnp.float32(t))) == pytest.approx(textbook(t), abs=1e-4)


def test_falls_strictly_where_it_is_not_capped():
    levels = np.asarray(log_snr(jnp.linspace(0, 1, 101, dtype=jnp.float32)))
    assert (np.diff(levels[1:]) < 0).all()
    assert levels[0] == levels.max() == pytest.approx(-math.log(1e-5), abs=1e-5)


def test_amplitudes_are_those_of_the_level():
    level = log_snr(jnp.linspace(0, 1, 11, dtype=jnp.float32))
    alpha, sigma = alpha_sigma(level)
    np.testing.assert_allclose(alpha**2 + sigma**2, np.ones(11), atol=1e-6)
    np.testing.assert_allclose(2 * np.log(alpha / sigma), level, atol=1e-4)
    alpha, sigma = alpha_sigma(jnp.zeros(()))
    assert float(alpha) == float(sigma) == pytest.approx(math.sqrt(0.5))

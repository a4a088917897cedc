"""Bicubic resizing: weights by hand, and what every interpolation must keep."""

import jax
import numpy as np
import pytest

from imo_jax.layers.bicubic import bicubic, cubic_matrix


def test_weights_by_hand():
    """Doubling: outputs lie a quarter of a pixel beside the inputs."""

    def near(x):  # Keys' kernel with a = -0.75, |x| <= 1, and 1 < |x| < 2
        return 1.25 * x**3 - 2.25 * x**2 + 1

    def far(x):
        return -0.75 * (x**3 - 5 * x**2 + 8 * x - 4)

    expected = [0, far(1.75), near(0.75), near(0.25), far(1.25), 0]
    np.testing.assert_allclose(cubic_matrix(6, 12)[6], expected, atol=1e-6)


@pytest.mark.parametrize(("size_in", "size_out"), [(4, 7), (7, 4), (14, 20), (3, 3)])
def test_a_constant_stays_and_so_does_the_order(size_in, size_out):
    matrix = cubic_matrix(size_in, size_out)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-6)
    if size_in == size_out:
        np.testing.assert_allclose(matrix, np.eye(size_in), atol=1e-6)


def test_both_axes():
    x = np.random.default_rng(0).normal(size=(4, 5, 2)).astype(np.float32)
    expected = np.einsum("oh,hwc,pw->opc", cubic_matrix(4, 6), x, cubic_matrix(5, 3))
    np.testing.assert_allclose(jax.jit(bicubic, static_argnums=1)(x, (6, 3)), expected, atol=1e-5)

"""Resizing by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.layers.resize import bilinear, interpolation_matrix, nearest, upsample_nearest


def line(values):
    """A row of numbers as an image (1, 1, W, 1)."""
    return jnp.asarray(values, jnp.float32).reshape(1, 1, -1, 1)


@pytest.mark.parametrize(
    ("values", "size", "expected"),
    [
        ([0, 1], 4, [0, 0.25, 0.75, 1]),
        ([0, 1, 2, 3], 2, [0.5, 2.5]),
        # Without antialiasing only two neighbours count: centres at 1.5 and 5.5.
        ([0, 1, 2, 3, 4, 5, 6, 70], 2, [1.5, 5.5]),
        ([0, 3, 6], 2, [0.75, 5.25]),
        ([5], 3, [5, 5, 5]),
    ],
)
def test_bilinear_by_hand(values, size, expected):
    np.testing.assert_allclose(bilinear(line(values), (1, size))[0, 0, :, 0], expected, atol=1e-6)


def test_bilinear_of_both_axes_is_one_after_the_other():
    x = jax.random.normal(jax.random.key(0), (2, 3, 8, 5))
    rows, columns = interpolation_matrix(3, 6), interpolation_matrix(8, 4)
    expected = np.einsum("oh,pw,bhwc->bopc", rows, columns, x)
    np.testing.assert_allclose(bilinear(x, (6, 4)), expected, atol=1e-5)


def test_rows_of_an_interpolation_matrix_sum_to_one():
    for sizes in ((3, 7), (7, 3), (16, 16)):
        np.testing.assert_allclose(interpolation_matrix(*sizes).sum(axis=1), 1, atol=1e-6)


def test_nearest_takes_the_floor():
    # floor(i * 5 / 3) = 0, 1, 3
    labels = jnp.arange(5).reshape(1, 1, 5)
    np.testing.assert_array_equal(nearest(labels, (1, 3))[0, 0], [0, 1, 3])
    # a quarter of the size takes every fourth
    np.testing.assert_array_equal(nearest(jnp.arange(8).reshape(1, 1, 8), (1, 2))[0, 0], [0, 4])


@pytest.mark.parametrize("size", [(4, 6), (3, 5), (2, 3)])
def test_upsample_nearest_equals_nearest(size):
    x = jax.random.normal(jax.random.key(0), (1, 2, 3, 2))
    np.testing.assert_array_equal(upsample_nearest(x, size), nearest(x, size))

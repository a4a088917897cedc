"""Deformable attention: sampling by hand, initialisation, the split positional encoding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.layers.deformable import (
    DeformableAttention,
    PositionedLinear,
    directional_bias,
    sample_weighted,
)
from imo_jax.layers.positions import axis_encoding

# One head, one channel: [[1, 2, 3], [4, 5, 6]].
GRID = jnp.arange(1.0, 7.0).reshape(1, 2, 3, 1, 1)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (1.0, 0.0, 2.0),  # on a pixel
        (0.5, 0.5, 3.0),  # mean of 1, 2, 4, 5
        (0.25, 1.0, 4.25),
        (-0.5, 0.0, 0.5),  # half of 1, half of the zeros outside
        (2.0, 1.75, 1.5),  # a quarter of 6
        (-1.0, 0.0, 0.0),
        (50.0, -50.0, 0.0),
    ],
)
def test_sample_by_hand(x, y, expected):
    at = jnp.full((1, 1, 1, 1), 1.0)
    assert sample_weighted(GRID, x * at, y * at, at)[0, 0, 0, 0] == pytest.approx(expected)


def test_points_are_weighted_and_heads_are_separate():
    value = jnp.stack([GRID[..., 0], 10 * GRID[..., 0]], axis=3)  # (1, 2, 3, 2, 1)
    # head 0 looks at pixels 1 and 3 of the first row, head 1 at 2 and 5
    x = jnp.array([[[[0.0, 2.0], [1.0, 1.0]]]])
    y = jnp.array([[[[0.0, 0.0], [0.0, 1.0]]]])
    weight = jnp.array([[[[0.25, 0.75], [0.5, 0.5]]]])
    out = sample_weighted(value, x, y, weight)
    np.testing.assert_allclose(out[0, 0, :, 0], [0.25 * 1 + 0.75 * 3, 0.5 * 20 + 0.5 * 50])


def test_each_example_samples_itself():
    value = jnp.concatenate([GRID, -GRID])
    at = jnp.ones((2, 1, 1, 1))
    np.testing.assert_allclose(sample_weighted(value, at, 0 * at, at)[:, 0, 0, 0], [2.0, -2.0])


def test_gradient_of_a_location_is_the_slope():
    at = jnp.ones((1, 1, 1, 1))

    def sample(x, y):
        return sample_weighted(GRID, x * at, y * at, at).sum()

    # The grid is x + 3 y + 1.
    dx, dy = jax.grad(sample, argnums=(0, 1))(0.4, 0.3)
    assert (dx, dy) == (pytest.approx(1.0), pytest.approx(3.0))


def test_initial_offsets_point_in_eight_directions():
    offsets = directional_bias(8, 4)(jax.random.key(0), (64,)).reshape(8, 4, 2)
    directions = [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)]
    for head, direction in enumerate(directions):
        for point in range(4):
            expected = np.array(direction) * (point + 1)
            np.testing.assert_allclose(offsets[head, point], expected, atol=1e-6)


def test_initial_attention_averages_along_the_directions():
    """Offsets and scores start independent of the input: uniform weights, fixed places."""
    layer = DeformableAttention(heads=1, points=2)
    x = jnp.zeros((1, 1, 5, 2)).at[0, 0, 3, 0].set(1.0)
    variables = layer.init(jax.random.key(0), x)
    params = dict(variables["params"])
    for name in ("value", "output"):
        params[name] = {"kernel": jnp.eye(2), "bias": jnp.zeros(2)}
    out = layer.apply({"params": params}, x)
    # Head 0 looks 1 and 2 pixels to the right, half the weight each.
    np.testing.assert_allclose(out[0, 0, :, 0], [0, 0.5, 0.5, 0, 0], atol=1e-6)


def test_split_encoding_equals_adding_it_to_the_input():
    layer = PositionedLinear(3, jax.nn.initializers.normal())
    x = jax.random.normal(jax.random.key(0), (2, 3, 4, 8))
    kernel = jax.random.normal(jax.random.key(1), (8, 3))
    bias = jnp.array([1.0, 2.0, 3.0])
    rows, columns = axis_encoding(3, 4), axis_encoding(4, 4)
    position = np.concatenate(
        [np.repeat(rows[:, None], 4, axis=1), np.repeat(columns[None], 3, axis=0)], axis=-1
    )
    expected = (x + position[None]) @ kernel + bias[None, None, None]
    out = layer.apply({"params": {"kernel": kernel, "bias": bias}}, x)
    np.testing.assert_allclose(out, expected, atol=1e-5)


def test_jit_equals_eager():
    layer = DeformableAttention(heads=2, points=3)
    x = jax.random.normal(jax.random.key(0), (1, 4, 4, 8))
    variables = layer.init(jax.random.key(1), x)
    np.testing.assert_allclose(
        jax.jit(layer.apply)(variables, x), layer.apply(variables, x), atol=1e-6
    )

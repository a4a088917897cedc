"""Positions of ViT and BEiT: which table entry is looked at, and what other grids see."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.backbones.beit import RelativePositionBias, offset_index, resize_offsets
from imo_jax.backbones.patches import drop_rates
from imo_jax.backbones.vit import PositionEmbedding
from imo_jax.layers.bicubic import bicubic


def test_offsets_by_hand():
    """2 x 3 cells: 3 x 5 offsets, then class to cell, cell to class, class to itself."""
    index = offset_index((2, 3))
    assert index.shape == (7, 7)
    assert index[0, 0] == 17 and set(index[0, 1:]) == {15} and set(index[1:, 0]) == {16}
    assert index[1, 1] == 1 * 5 + 2  # no offset
    assert index[1, 6] == 0  # from the first cell to the last: (-1, -2)
    assert index[6, 1] == 14
    assert index[1, 2] == 1 * 5 + 1  # to the cell right of it
    assert index[1, 4] == 0 * 5 + 2  # to the cell below it


def test_relative_bias_depends_on_the_offset_only():
    layer = RelativePositionBias(side=3, heads=2)
    table = np.random.default_rng(0).normal(size=(28, 2)).astype(np.float32)
    bias = layer.apply({"params": {"bias": table}}, (3, 3))
    assert bias.shape == (1, 2, 10, 10)
    np.testing.assert_array_equal(bias[0, :, 1, 2], bias[0, :, 5, 6])
    np.testing.assert_array_equal(bias[0, :, 1, 5], bias[0, :, 5, 9])
    np.testing.assert_array_equal(bias[0, 1], table[offset_index((3, 3)), 1])


@pytest.mark.parametrize("grid", [(2, 2), (4, 3), (5, 5)])
def test_another_grid_keeps_no_offset_and_the_class_token(grid):
    table = np.random.default_rng(0).normal(size=(28, 2)).astype(np.float32)
    resized = np.asarray(resize_offsets(table, grid))
    assert resized.shape == ((2 * grid[0] - 1) * (2 * grid[1] - 1) + 3, 2)
    np.testing.assert_array_equal(resized[-3:], table[-3:])
    np.testing.assert_allclose(resized[(len(resized) - 3) // 2], table[12], atol=1e-6)


def test_position_embedding():
    layer = PositionEmbedding(side=3)
    table = jnp.asarray(np.random.default_rng(0).normal(size=(10, 4)), jnp.float32)
    apply = jax.jit(layer.apply, static_argnums=(1, 2))
    np.testing.assert_array_equal(apply({"params": {"embedding": table}}, (3, 3), 4), table)
    other = apply({"params": {"embedding": table}}, (2, 5), 4)
    np.testing.assert_array_equal(other[0], table[0])
    cells = bicubic(np.asarray(table[1:]).reshape(3, 3, 4), (2, 5))
    np.testing.assert_allclose(other[1:], cells.reshape(10, 4), atol=1e-5)


def test_drop_rates():
    assert drop_rates(0.3, 4) == pytest.approx([0, 0.1, 0.2, 0.3])

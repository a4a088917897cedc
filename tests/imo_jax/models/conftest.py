"""A very small IMO, its random variables and a batch."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.models.imo import IMO, IMOConfig

SMALL = IMOConfig(
    backbone_depths=(1, 1, 1, 1), backbone_widths=(8, 8, 8, 8), drop_path=0.5, feature_dim=8,
    norm_groups=2, oct_slices=4, oct_blocks=2, channel_attention_reduction=2, grade_hidden=8,
    grade_blocks=1, se_reduction=4, decoder_layers=1, decoder_heads=2, decoder_mlp=8,
    time_frequencies=2, time_dim=8, signal_scale=1.0,
)  # fmt: skip
EYES, SIZE, GRID = 4, 32, 8


@pytest.fixture(scope="session")
def small():
    """Config of a very small network with some options changed."""
    return functools.partial(dataclasses.replace, SMALL)


@pytest.fixture(scope="session")
def variables():
    """Config -> random variables, without a compilation; the same for the same names."""

    @functools.cache
    def draw(config):
        fundus = np.zeros((1, SIZE, SIZE, 3), np.float32)
        volume = np.zeros((1, GRID, GRID, config.oct_slices), np.float32)
        shapes = jax.eval_shape(IMO(config).init, jax.random.key(0), fundus, volume)
        return jax.tree_util.tree_map_with_path(draw_leaf, dict(shapes))

    def draw_leaf(path, leaf):
        name = jax.tree_util.keystr(path)
        rng = np.random.default_rng(list(name.encode()))
        if name.endswith("['var']"):
            return jnp.asarray(rng.uniform(0.5, 2, leaf.shape), jnp.float32)
        return jnp.asarray(0.5 * rng.normal(size=leaf.shape), jnp.float32)

    return draw


@pytest.fixture(scope="session")
def batch():
    """Four eyes as they come from a loader; the third has no OCT."""
    rng = np.random.default_rng(0)
    return {
        "fundus": rng.integers(0, 256, (EYES, SIZE, SIZE, 3)).astype(np.uint8),
        "oct": rng.integers(0, 256, (EYES, 12, 12, 4)).astype(np.uint8),
        "has_oct": np.array([True, True, False, True]),
        "index": np.array([7, 3, 40, 12], np.uint32),
    }

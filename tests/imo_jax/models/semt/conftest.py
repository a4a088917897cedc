"""Very small screening networks, random variables, and inputs."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.models.semt import SemtConfig, network

SMALL = SemtConfig(stage_sizes=(1, 1), width=4, stem="small", regression_width=3, cnn_width=2)


@pytest.fixture(scope="session")
def small():
    """Config of a very small network with some options changed."""
    return functools.partial(dataclasses.replace, SMALL)


@pytest.fixture(scope="session")
def inputs():
    """Config -> normalised inputs of four examples; sides neither equal nor even."""
    rng = np.random.default_rng(0)
    drawn = {
        "scan": rng.normal(size=(4, 20, 13, 3)).astype(np.float32),
        "cube": rng.uniform(size=(4, 9, 12, 10, 1)).astype(np.float32),
    }
    return lambda config: jnp.asarray(drawn[config.input])


@pytest.fixture(scope="session")
def variables():
    """Config -> random variables, without a compilation; the same for the same names."""

    @functools.cache
    def draw(config):
        shape = (1, 16, 16, 3) if config.input == "scan" else (1, 16, 16, 16, 1)
        init = functools.partial(network(config).init, train=False)
        shapes = jax.eval_shape(init, jax.random.key(0), jnp.zeros(shape))
        return jax.tree_util.tree_map_with_path(draw_leaf, dict(shapes))

    def draw_leaf(path, leaf):
        name = jax.tree_util.keystr(path)
        rng = np.random.default_rng(list(name.encode()))
        if name.endswith(("['var']", "['scale']")):
            return jnp.asarray(rng.uniform(0.5, 1.5, leaf.shape), jnp.float32)
        return jnp.asarray(0.5 * rng.normal(size=leaf.shape), jnp.float32)

    return draw

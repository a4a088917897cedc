"""Tiny graders, their random variables, and eyes of which one has no OCT."""

import functools

import jax
import numpy as np
import pytest

from imo_jax.models.graders import Grader, GraderConfig

SIZE, SLICES = 32, 4


@pytest.fixture(scope="session")
def shapes():
    """Config -> shapes of the variables; nothing is computed."""

    @functools.cache
    def of(config, size=SIZE):
        fundus = np.zeros((1, size, size, 3), np.float32)
        volume = np.zeros((1, 8, 8, config.oct_slices), np.float32)
        init = functools.partial(Grader(config).init, train=False)
        return dict(jax.eval_shape(init, jax.random.key(0), fundus, volume))

    return of


@pytest.fixture(scope="session")
def variables(shapes):
    """Config -> random variables, without a compilation; the same for the same names."""

    def leaf(path, like):
        name = jax.tree_util.keystr(path)
        rng = np.random.default_rng(list(name.encode()))
        if name.endswith("['var']"):
            return rng.uniform(0.5, 2, like.shape).astype(np.float32)
        return (0.3 * rng.normal(size=like.shape)).astype(np.float32)

    def draw(config):
        return jax.tree_util.tree_map_with_path(leaf, shapes(config))

    return draw


@pytest.fixture(scope="session")
def tiny():
    """Network, options -> config of its tiny size for small images."""
    return lambda network, **options: GraderConfig(
        **{"size": "tiny", "layout_size": SIZE, "oct_slices": SLICES, **options, "network": network}
    )


@pytest.fixture(scope="session")
def eyes():
    """Arguments of a grader: three eyes; the second has no OCT but NaN in its place."""
    rng = np.random.default_rng(0)
    volume = rng.uniform(size=(3, 6, 10, SLICES)).astype(np.float32)
    volume[1] = np.nan
    return {
        "fundus": rng.normal(size=(3, SIZE, SIZE, 3)).astype(np.float32),
        "oct_volume": volume,
        "has_oct": np.array([True, False, True]),
    }

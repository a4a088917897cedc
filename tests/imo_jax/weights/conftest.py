"""Small graders with random variables, drawn without a compilation."""

import functools

import jax
import numpy as np
import pytest

from imo_jax.models.graders import Grader, GraderConfig

SIZE, GRID, SLICES = 64, 8, 5


@pytest.fixture(scope="session")
def draw():
    """(network, seed, ...) -> a tiny grader's random variables, the same for the same arguments."""

    @functools.cache
    def shapes(network, channels, options):
        chosen = {"network": network, "size": "tiny"}
        if network == "efficientnet_lite":  # which has no small size
            chosen = {"encoder": "efficientnet_lite0"}
        config = GraderConfig(
            **chosen | {"layout_size": SIZE, "oct_slices": SLICES} | dict(options)
        )
        init = functools.partial(Grader(config).init, train=False)
        fundus = np.zeros((1, SIZE, SIZE, channels), np.float32)
        volume = np.zeros((1, GRID, GRID, SLICES), np.float32)
        return dict(jax.eval_shape(init, jax.random.key(0), fundus, volume))

    def drawn(network, seed=0, channels=3, **options):
        rng = np.random.default_rng(seed)
        return jax.tree.map(
            lambda s: rng.normal(size=s.shape).astype(np.float32),
            shapes(network, channels, tuple(options.items())),
        )

    return drawn

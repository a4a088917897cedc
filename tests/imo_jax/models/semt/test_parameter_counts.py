"""Exact parameter counts of the screening networks; nothing is computed."""

import functools
import math

import jax
import jax.numpy as jnp
import pytest

from imo_jax.models.semt import SemtConfig, network
from imo_jax.weights.rules import flatten

RESNET18 = 11_176_512
# Two 3x3 convolutions from 512 to 256 to 256 channels and their batch norms.
BRANCH = 9 * 512 * 256 + 9 * 256 * 256 + 2 * 2 * 256


def count(**options):
    config = SemtConfig(**options)
    shape = (1, 64, 64, 3) if config.input == "scan" else (1, 16, 16, 16, 1)
    init = functools.partial(network(config).init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32))
    return sum(math.prod(leaf.shape) for leaf in flatten(shapes["params"]).values())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"network": "resnet"}, RESNET18 + 513),
        ({"network": "multi_task"}, RESNET18 + 3 * (BRANCH + 257) + (512 + 3 * 256 + 1)),
        (
            {"network": "multi_task", "regression_branches": 1},
            RESNET18 + BRANCH + 3 * 257 + (512 + 256 + 1),
        ),
        # With the two outputs that MONAI's has, 33.16 M.
        ({"network": "resnet3d"}, 33_160_000 + 513),
        ({"network": "cnn3d"}, 222_466),  # Maetschke et al. 2019
    ],
    ids=str,
)
def test_counts(options, expected):
    assert count(**options) == expected


def test_three_outputs_would_make_the_published_11_18_million():
    assert round((RESNET18 + 3 * 513) / 1e6, 2) == 11.18

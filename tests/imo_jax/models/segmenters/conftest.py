"""Very small segmenters, their random variables, and inputs; programs that compile sooner."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.backbones import convnext, mit, mscan, resnet
from imo_jax.backbones.table import ENCODERS
from imo_jax.models.segmenters import SIZES, SegmenterConfig, network
from imo_jax.models.segmenters.sizes import (
    DeepLabSize,
    SegFormerSize,
    SegNeXtSize,
    UNetPlusPlusSize,
    UNetSize,
    UPerNetSize,
)

SMALL_ENCODERS = {
    "small_resnet": resnet.encoder("basic", (1, 1, 1, 1), 4),
    "small_convnext": convnext.encoder((1, 1, 1, 1), (4, 4, 8, 8)),
    "small_mit": mit.encoder(mit.MiTSize((1, 1, 1, 1), (4, 8, 8, 8), (1, 2, 2, 2))),
    "small_mscan": mscan.encoder(mscan.MSCANSize((1, 1, 1, 1), (4, 4, 8, 8), (2, 2, 2, 2))),
}
SMALL = {
    "unet": UNetSize("small_resnet", (2, 4, 4, 4, 6), finest=2),
    "unetpp": UNetPlusPlusSize((4, 4, 6)),
    "deeplab": DeepLabSize("small_resnet", 8, 4, (1, 2)),
    "upernet": UPerNetSize("small_convnext", 4, 4, pools=(1, 3)),
    "segformer": SegFormerSize("small_mit", 8),
    "segnext": SegNeXtSize("small_mscan", 8, rank=2, groups=2),
}
EYES, SIZE, SLICES = 4, 32, 3


@pytest.fixture(autouse=True)
def small_sizes(monkeypatch):
    """A size "small" of every network."""
    for name, encoder in SMALL_ENCODERS.items():
        monkeypatch.setitem(ENCODERS, name, encoder)
    for name, size in SMALL.items():
        monkeypatch.setitem(SIZES[name], "small", size)


@pytest.fixture(scope="session")
def small():
    """(network, options) -> config of its small size."""
    return functools.partial(SegmenterConfig, size="small", oct_slices=SLICES)


@pytest.fixture(scope="session")
def drawn():
    """Config -> random variables without a compilation, equal for equal names."""

    def draw(config):
        # What has no say in the variables: one trace for all.
        plain = {"dropout": None, "drop_path": None, "dtype": "float32"}
        return draw_plain(dataclasses.replace(config, **plain))

    @functools.cache
    def draw_plain(config):
        return jax.tree_util.tree_map_with_path(draw_leaf, shapes(config)[1])

    def draw_leaf(path, leaf):
        name = jax.tree_util.keystr(path)
        rng = np.random.default_rng(list(name.encode()))
        if name.endswith(("['var']", "['scale']")):
            return rng.uniform(0.5, 1.5, leaf.shape).astype(np.float32)
        spread = 1 / np.sqrt(max(np.prod(leaf.shape[:-1]), 4))
        return (spread * rng.normal(size=leaf.shape)).astype(np.float32)

    return draw


def shapes(config, image=(1, 64, 64, 3)):
    """(outputs, variables) as shapes; nothing is computed."""
    fundus = jax.ShapeDtypeStruct(image, jnp.float32)
    volume = jax.ShapeDtypeStruct((image[0], 16, 16, config.oct_slices), jnp.float32)

    def init(key, fundus, volume):
        volume = volume if config.with_oct else None
        return network(config).init_with_output(key, fundus, volume, train=False)

    outputs, variables = jax.eval_shape(init, jax.random.key(0), fundus, volume)
    return outputs, dict(variables)


@pytest.fixture(scope="session")
def inputs():
    """Four eyes, the third without OCT: fundus, volume, has_oct."""
    rng = np.random.default_rng(0)
    fundus = jnp.asarray(rng.normal(size=(EYES, SIZE, SIZE, 3)), jnp.float32)
    volume = jnp.asarray(rng.uniform(size=(EYES, 6, 6, SLICES)), jnp.float32)
    return fundus, volume, jnp.asarray([True, True, False, True])


@pytest.fixture(scope="session")
def shapes_of():
    return shapes

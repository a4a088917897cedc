"""Each platform gets its own form of the layers, forward and backward (lowered here, not run)."""

import jax
import jax.export
import jax.numpy as jnp
import pytest

from imo_jax.layers.convolution import conv
from imo_jax.layers.depthwise import depthwise_conv
from imo_jax.layers.mix_rows import mix_rows
from imo_jax.layers.pooling import max_pool

X = jax.ShapeDtypeStruct((2, 8, 8, 4), jnp.float32)


def lowered(function, platform, *arrays):
    """StableHLO text of the gradient of the sum of squares."""

    def loss(*floats):
        return jnp.sum(jnp.square(function(*floats)))

    wrt = tuple(i for i, a in enumerate(arrays) if a.dtype == jnp.float32)
    exported = jax.export.export(jax.jit(jax.grad(loss, argnums=wrt)), platforms=[platform])
    return exported(*arrays).mlir_module()


@pytest.mark.parametrize(("platform", "grouped"), [("cpu", False), ("cuda", True), ("tpu", True)])
def test_depthwise(platform, grouped):
    text = lowered(depthwise_conv, platform, X, jax.ShapeDtypeStruct((3, 3, 4), jnp.float32))
    assert ("feature_group_count = 4" in text) == grouped
    assert ("stablehlo.while" in text) != grouped


@pytest.mark.parametrize(("platform", "loops"), [("cpu", True), ("cuda", False), ("tpu", False)])
def test_mix_rows(platform, loops):
    table = jax.ShapeDtypeStruct((10, 4), jnp.float32)
    index = jax.ShapeDtypeStruct((6, 8), jnp.int32)
    weight = jax.ShapeDtypeStruct((6, 8), jnp.float32)
    text = lowered(mix_rows, platform, table, index, weight)
    assert ("stablehlo.while" in text) == loops
    assert "stablehlo.scatter" in text


@pytest.mark.parametrize(("platform", "rank"), [("cpu", 4), ("cuda", 5), ("tpu", 5)])
def test_convolution_of_volumes(platform, rank):
    """Value and gradients are three convolutions; on CPU of images, else of volumes."""
    x = jax.ShapeDtypeStruct((2, 4, 8, 8, 4), jnp.float32)
    text = lowered(conv, platform, x, jax.ShapeDtypeStruct((3, 3, 3, 4, 5), jnp.float32))
    convolutions = [line for line in text.splitlines() if "stablehlo.convolution" in line]
    assert len(convolutions) == 3
    for line in convolutions:
        result = line.rsplit("tensor<", 1)[1]  # such as 2x4x8x8x5xf32>
        assert result.count("x") == rank


@pytest.mark.parametrize(("platform", "direct"), [("cpu", 0), ("cuda", 3), ("tpu", 3)])
def test_convolution_of_many_channels(platform, direct):
    x = jax.ShapeDtypeStruct((8, 56, 56, 64), jnp.float32)
    text = lowered(conv, platform, x, jax.ShapeDtypeStruct((3, 3, 64, 64), jnp.float32))
    assert text.count("stablehlo.convolution") == direct


@pytest.mark.parametrize(("platform", "scatters"), [("cpu", 0), ("cuda", 1), ("tpu", 1)])
def test_max_pool(platform, scatters):
    assert lowered(max_pool, platform, X).count("stablehlo.select_and_scatter") == scatters

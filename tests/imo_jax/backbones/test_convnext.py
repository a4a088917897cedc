"""ConvNeXt: parameter count, strides, drop-path rates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.backbones.convnext import SIZES, ConvNeXt, ConvNeXtBlock


def count(depths, widths):
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    shapes = jax.eval_shape(ConvNeXt(depths, widths).init, jax.random.key(0), image)
    return sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))


def test_parameters_of_the_released_backbone():
    assert count(*SIZES["tiny"]) == 27_821_472


def test_sizes_grow():
    counts = [count(*SIZES[name]) for name in ("tiny", "small", "base", "large")]
    assert counts == sorted(counts)
    # Published: 50 M, 89 M and 198 M with classifier heads of 0.8, 1.0 and 1.5 M.
    assert [round(n / 1e6) for n in counts[1:]] == [49, 88, 196]


@pytest.mark.parametrize(("size", "expected"), [((64, 96), (2, 3)), ((70, 100), (2, 3))])
def test_stages_halve_and_drop_remainders(size, expected):
    net = ConvNeXt((1, 1, 1, 1), (4, 4, 8, 8))
    image = jax.ShapeDtypeStruct((1, *size, 3), jnp.float32)
    out, _ = jax.eval_shape(net.init_with_output, jax.random.key(0), image)
    assert list(out.maps) == [4, 8, 16, 32]
    assert out.maps[4].shape == (1, size[0] // 4, size[1] // 4, 4)
    assert out.maps[32].shape == (1, *expected, 8)


def test_a_dropped_block_is_the_identity():
    x = jax.random.normal(jax.random.key(0), (8, 4, 4, 6))
    keys = jax.random.split(jax.random.key(1), 8)
    block = ConvNeXtBlock(drop_path=0.5)
    variables = jax.jit(block.init)(jax.random.key(2), x, None)
    apply = jax.jit(block.apply)
    kept = apply(variables, x, None) - x
    change = np.asarray(apply(variables, x, keys) - x)
    dropped = [i for i in range(8) if np.all(change[i] == 0)]
    assert 0 < len(dropped) < 8
    for i in set(range(8)) - set(dropped):
        np.testing.assert_allclose(change[i], 2 * kept[i], atol=1e-5)


def test_rates_grow_linearly_from_zero():
    """The first block never drops; with a high last rate the last nearly always does."""
    image = jax.random.normal(jax.random.key(0), (4, 32, 32, 3))
    keys = jax.random.split(jax.random.key(1), 4)
    net = ConvNeXt((1, 1, 1, 1), (4, 4, 4, 4), drop_path=0.9)
    variables = jax.jit(net.init)(jax.random.key(2), image)
    apply = jax.jit(net.apply)
    plain, dropped = apply(variables, image), apply(variables, image, example_keys=keys)
    np.testing.assert_array_equal(plain.maps[4], dropped.maps[4])
    assert bool((plain.maps[32] != dropped.maps[32]).any())


def test_layer_scale_starts_at_one():
    block = ConvNeXtBlock()
    params = jax.jit(block.init)(jax.random.key(0), jnp.zeros((1, 2, 2, 3)), None)["params"]
    np.testing.assert_array_equal(params["layer_scale"], np.ones(3))


@pytest.mark.parametrize(
    ("variant", "scale", "parameters"),
    # A norm a stage of 2 x (4 + 4 + 8 + 8) values, or one of the pooled last stage.
    [("released", 1.0, 48), ("dense", 1e-6, 48), ("classifier", 1e-6, 16)],
)
def test_variants(variant, scale, parameters):
    net = ConvNeXt((1, 1, 1, 1), (4, 4, 8, 8), variant=variant)
    image = jax.ShapeDtypeStruct((2, 64, 64, 3), jnp.float32)
    out, variables = jax.eval_shape(net.init_with_output, jax.random.key(0), image)
    norms = {k: v for k, v in variables["params"].items() if k.startswith(("norm", "final_norm"))}
    assert sum(leaf.size for leaf in jax.tree.leaves(norms)) == parameters
    assert out.pooled.shape == (2, 8)
    block = ConvNeXtBlock(layer_scale=scale)
    params = jax.jit(block.init)(jax.random.key(0), jnp.zeros((1, 2, 2, 3)), None)["params"]
    np.testing.assert_array_equal(params["layer_scale"], np.full(3, scale, np.float32))

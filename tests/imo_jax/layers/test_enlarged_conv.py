"""The convolution of an enlarged map against enlarging and convolving, and where it is chosen."""

import functools

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.layers.enlarged_conv import EnlargedConv, as_written, by_places, enlarged_conv
from imo_jax.models.segmenters import network
from imo_jax.models.segmenters.config import SegmenterConfig


def arrays(shape, channels, beside, outputs):
    rng = np.random.default_rng(0)
    batch, height, width = shape
    x = rng.normal(size=(*shape, channels))
    skip = rng.normal(size=(batch, 2 * height, 2 * width, beside)) if beside else None
    kernel = rng.normal(size=(3, 3, channels + beside, outputs)) / (9 * channels) ** 0.5
    return jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), (x, skip, kernel))


@functools.partial(jax.jit, static_argnums=0)
def value_and_gradients(form, x, skip, kernel):
    y, pullback = jax.vjp(form, x, skip, kernel)
    return jax.tree.leaves((y, pullback(jnp.sin(y))))


def assert_alike(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        assert np.linalg.norm(a - b) <= 2e-6 * np.linalg.norm(b)


def test_a_line_by_hand():
    """1 2 becomes 1 1 2 2; with the taps 1, 10, 100 and zeros outside."""
    line = jnp.array([1.0, 2.0]).reshape(1, 1, 2, 1)
    kernel = jnp.zeros((3, 3, 1, 1)).at[1, :, 0, 0].set(jnp.array([1.0, 10.0, 100.0]))
    found = by_places(line, None, kernel)[0, :, :, 0]
    np.testing.assert_array_equal(found, [[110, 211, 221, 22]] * 2)


@pytest.mark.parametrize("shape", [(2, 4, 3), (1, 5, 7), (3, 1, 2)], ids=str)
@pytest.mark.parametrize("beside", [0, 2])
def test_it_gives_what_enlarging_and_convolving_give(shape, beside):
    given = arrays(shape, 5, beside, 4)
    assert_alike(value_and_gradients(by_places, *given), value_and_gradients(as_written, *given))


@pytest.mark.parametrize("shape", [(1, 32, 32), (1, 4, 4)], ids=["large", "small"])
@pytest.mark.parametrize("beside", [0, 3])
def test_the_layer_computes_the_same_at_any_size(shape, beside):
    given = arrays(shape, 5, beside, 4)
    used = functools.partial(enlarged_conv, size=(2 * shape[1], 2 * shape[2]))
    assert_alike(value_and_gradients(used, *given), value_and_gradients(as_written, *given))


def test_a_size_that_is_not_twice_as_large():
    x = jnp.arange(6.0).reshape(1, 2, 3, 1)
    kernel = jnp.zeros((3, 3, 1, 1)).at[1, 1].set(1.0)
    found = enlarged_conv(x, None, kernel, (3, 5))[0, :, :, 0]
    np.testing.assert_array_equal(found, [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]])


@pytest.mark.parametrize(("platform", "kernel"), [("cpu", 2), ("cuda", 3), ("tpu", 3)])
def test_each_platform_has_its_own_form(platform, kernel):
    x = jax.ShapeDtypeStruct((4, 32, 32, 8), jnp.float32)
    k = jax.ShapeDtypeStruct((3, 3, 8, 6), jnp.float32)
    form = functools.partial(enlarged_conv, skip=None, size=(64, 64))
    exported = jax.export.export(jax.jit(lambda x, k: form(x, kernel=k)), platforms=[platform])
    text = exported(x, k).mlir_module()
    assert text.count("stablehlo.convolution") == 1
    assert f"tensor<{kernel}x{kernel}x8x" in text.split("stablehlo.convolution", 1)[1]


def test_the_layer_in_bfloat16_keeps_its_parameter_in_float32():
    layer = EnlargedConv(4, dtype=jnp.bfloat16)
    x, skip, _ = arrays((1, 32, 32), 3, 2, 4)
    variables = layer.init(jax.random.key(0), x, skip, (64, 64))
    y = layer.apply(variables, x, skip, (64, 64))
    assert variables["params"]["kernel"].shape == (3, 3, 5, 4)
    assert (variables["params"]["kernel"].dtype, y.dtype) == (jnp.float32, jnp.bfloat16)
    exact = as_written(x, skip, variables["params"]["kernel"])
    assert np.linalg.norm(y.astype(jnp.float32) - exact) <= 0.01 * np.linalg.norm(exact)


def test_a_unet_whose_maps_have_odd_sides():
    unet = network(SegmenterConfig(network="unet", size="tiny"))
    photograph = jnp.zeros((1, 66, 98, 3))
    variables = jax.eval_shape(lambda: unet.init(jax.random.key(0), photograph, train=False))
    logits = jax.eval_shape(lambda v: unet.apply(v, photograph, train=False), variables)["logits"]
    # at stride 2; 17 x 25 at stride 4, so that what is enlarged has a row and a column too many
    assert logits.shape == (1, 33, 49, 3)

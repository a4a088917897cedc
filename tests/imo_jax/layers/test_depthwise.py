"""Depthwise convolution: by hand, and the CPU form against the grouped convolution."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from imo_jax.layers.depthwise import (
    DepthwiseConv,
    depthwise_conv,
    grouped_conv,
    grouped_gradients,
    shifted_gradients,
    shifted_products,
)


def arrays(shape, size, dtype=jnp.float32, **how):
    """An input, a kernel of `size` (k or (k, l)) and a gradient of the output."""
    keys = jax.random.split(jax.random.key(0), 3)
    size = (size, size) if isinstance(size, int) else size
    x = jax.random.normal(keys[0], shape, dtype)
    kernel = jax.random.normal(keys[1], (*size, shape[-1]), dtype)
    out = jax.eval_shape(functools.partial(grouped_conv, **how), x, kernel)
    return x, kernel, jax.random.normal(keys[2], out.shape, dtype)


def test_by_hand():
    # One channel, 3 x 3 kernel that picks the left neighbour (weight 2) and the pixel below (3).
    x = jnp.arange(1.0, 7.0).reshape(1, 2, 3, 1)  # [[1, 2, 3], [4, 5, 6]]
    kernel = jnp.zeros((3, 3, 1)).at[1, 0, 0].set(2.0).at[2, 1, 0].set(3.0)
    out = depthwise_conv(x, kernel)
    # 2 * left + 3 * below, zero beyond the border
    expected = [[3 * 4, 2 * 1 + 3 * 5, 2 * 2 + 3 * 6], [0, 2 * 4, 2 * 5]]
    np.testing.assert_array_equal(out[0, :, :, 0], expected)


@pytest.mark.parametrize(
    ("shape", "size", "how"),
    [
        ((2, 7, 5, 3), 3, {}),
        ((1, 16, 9, 4), 7, {}),
        ((1, 2, 2, 2), 7, {}),
        ((1, 9, 5, 2), (7, 1), {}),
        ((1, 3, 9, 2), (1, 11), {}),
        ((2, 8, 6, 3), 3, {"stride": 2, "padding": ((0, 1), (0, 1))}),
        ((1, 9, 7, 2), 3, {"stride": 2, "padding": ((1, 1), (1, 1))}),
        ((1, 8, 11, 2), 5, {"stride": 2, "padding": ((1, 2), (2, 2))}),
        ((1, 8, 11, 2), 5, {"stride": 2}),
        ((1, 7, 8, 2), 5, {"stride": 3, "padding": ((0, 0), (4, 1))}),
        ((1, 6, 6, 2), 3, {"padding": ((2, 0), (0, 2))}),
    ],
)
def test_both_forms_agree_in_value_and_gradients(shape, size, how):
    x, kernel, g = arrays(shape, size, **how)

    @jax.jit
    def by_each_form(x, kernel, g):
        values = shifted_products(x, kernel, **how), grouped_conv(x, kernel, **how)
        gradients = (shifted_gradients(x, kernel, g, **how), grouped_gradients(x, kernel, g, **how))
        return values, gradients

    values, gradients = by_each_form(x, kernel, g)
    np.testing.assert_allclose(*values, atol=2e-5)
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-5)


def test_a_strided_one_by_hand():
    # One row [1 2 3 4], kernel [2, 0, 3], one zero at the end: 2 * 1 + 3 * 3 and 2 * 3 + 3 * 0.
    x = jnp.arange(1.0, 5.0).reshape(1, 1, 4, 1)
    kernel = jnp.asarray([2.0, 0.0, 3.0]).reshape(1, 3, 1)
    out = depthwise_conv(x, kernel, 2, ((0, 0), (0, 1)))
    np.testing.assert_array_equal(out[0, 0, :, 0], [11, 6])


@pytest.mark.parametrize(("shape", "size"), [((2, 16, 5, 3), (7, 1)), ((1, 3, 9, 2), (1, 11))])
def test_strips_agree_with_scipy(shape, size):
    x, kernel, _ = arrays(shape, size)
    found = jax.jit(shifted_products)(x, kernel)
    for b, image in enumerate(np.asarray(x)):
        for c in range(shape[-1]):
            weights = np.asarray(kernel)[..., c]
            expected = scipy.ndimage.correlate(image[..., c], weights, mode="constant")
            np.testing.assert_allclose(found[b, :, :, c], expected, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_differentiation_goes_through_the_chosen_form(stride):
    x, kernel, g = arrays((1, 6, 6, 2), 3, stride=stride)

    @jax.jit
    def both(x, kernel, g):
        pullback = jax.vjp(functools.partial(depthwise_conv, stride=stride), x, kernel)[1]
        return pullback(g), shifted_gradients(x, kernel, g, stride)

    for ours, theirs in zip(*both(x, kernel, g), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_bfloat16_keeps_its_type_and_accumulates_in_float32():
    x, kernel, g = arrays((1, 8, 8, 4), 7, jnp.bfloat16)
    out = depthwise_conv(x, kernel)
    exact = grouped_conv(x.astype(jnp.float32), kernel.astype(jnp.float32))
    assert out.dtype == jnp.bfloat16
    np.testing.assert_array_equal(out, exact.astype(jnp.bfloat16))
    assert [d.dtype for d in shifted_gradients(x, kernel, g)] == [jnp.bfloat16] * 2


@pytest.mark.parametrize("use_bias", [True, False])
def test_module_bias(use_bias):
    layer = DepthwiseConv(3, use_bias=use_bias)
    params = layer.init(jax.random.key(0), jnp.zeros((1, 4, 4, 2)))["params"]
    assert ("bias" in params) == use_bias
    if use_bias:
        at_zero = layer.apply({"params": params}, jnp.zeros((1, 4, 4, 2)))
        np.testing.assert_allclose(at_zero[0, 2, 2], params["bias"])


@pytest.mark.parametrize("size", [(5, 1), (1, 5)])
def test_module_of_strips(size):
    x, kernel, _ = arrays((1, 6, 4, 2), size)
    layer = DepthwiseConv(size, use_bias=True, kernel_init=jax.nn.initializers.ones)
    like = jax.eval_shape(layer.init, jax.random.key(0), x)["params"]
    assert like["kernel"].shape == (*size, 2)
    params = {"kernel": kernel, "bias": jnp.asarray([1.0, 2.0])}
    found = jax.jit(layer.apply)({"params": params}, x) - params["bias"][None, None, None]
    np.testing.assert_allclose(found, grouped_conv(x, kernel), atol=1e-5)


def test_module_stride_and_padding():
    x, kernel, _ = arrays((1, 6, 4, 2), 3)
    layer = DepthwiseConv(3, use_bias=False, stride=2, padding=((0, 1), (0, 1)))
    found = layer.apply({"params": {"kernel": kernel}}, x)
    dense = grouped_conv(x, kernel, 1, ((0, 2), (0, 2)))
    np.testing.assert_allclose(found, dense[:, ::2, ::2], atol=1e-5)

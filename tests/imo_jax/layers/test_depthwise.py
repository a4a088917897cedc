"""Depthwise convolution: by hand, and the CPU form against the grouped convolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.layers.depthwise import (
    DepthwiseConv,
    depthwise_conv,
    grouped_conv,
    grouped_gradients,
    shifted_gradients,
    shifted_products,
)


def arrays(shape, k, dtype=jnp.float32):
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], shape, dtype)
    kernel = jax.random.normal(keys[1], (k, k, shape[-1]), dtype)
    return x, kernel, jax.random.normal(keys[2], shape, dtype)


def test_by_hand():
    # One channel, 3 x 3 kernel that picks the left neighbour (weight 2) and the pixel below (3).
    x = jnp.arange(1.0, 7.0).reshape(1, 2, 3, 1)  # [[1, 2, 3], [4, 5, 6]]
    kernel = jnp.zeros((3, 3, 1)).at[1, 0, 0].set(2.0).at[2, 1, 0].set(3.0)
    out = depthwise_conv(x, kernel)
    # 2 * left + 3 * below, zero beyond the border
    expected = [[3 * 4, 2 * 1 + 3 * 5, 2 * 2 + 3 * 6], [0, 2 * 4, 2 * 5]]
    np.testing.assert_array_equal(out[0, :, :, 0], expected)


@pytest.mark.parametrize(("shape", "k"), [((2, 7, 5, 3), 3), ((1, 16, 9, 4), 7), ((1, 2, 2, 2), 7)])
def test_both_forms_agree_in_value_and_gradients(shape, k):
    x, kernel, g = arrays(shape, k)
    np.testing.assert_allclose(shifted_products(x, kernel), grouped_conv(x, kernel), atol=2e-5)
    for ours, theirs in zip(
        shifted_gradients(x, kernel, g), grouped_gradients(x, kernel, g), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=5e-5)


def test_differentiation_goes_through_the_chosen_form():
    x, kernel, g = arrays((1, 6, 6, 2), 3)
    _, pullback = jax.vjp(jax.jit(depthwise_conv), x, kernel)
    for ours, theirs in zip(pullback(g), grouped_gradients(x, kernel, g), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


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

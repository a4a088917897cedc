"""Strip convolutions: by hand, against scipy, and the CPU form against the grouped convolution."""

import functools

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from imo_jax.layers.strips import (
    StripConv,
    grouped_conv,
    grouped_gradients,
    shifted_gradients,
    shifted_products,
    strip_conv,
)


def arrays(shape, k, dtype=jnp.float32):
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], shape, dtype)
    kernel = jax.random.normal(keys[1], (k, shape[-1]), dtype)
    return x, kernel, jax.random.normal(keys[2], shape, dtype)


@pytest.mark.parametrize(
    ("axis", "expected"),
    # 2 * (the one before) + 3 * (the one after), zero beyond the border
    [(1, [[12, 15, 18], [2, 4, 6]]), (2, [[6, 2 + 9, 4], [15, 8 + 18, 10]])],
)
def test_by_hand(axis, expected):
    x = jnp.arange(1.0, 7.0).reshape(1, 2, 3, 1)  # [[1, 2, 3], [4, 5, 6]]
    out = strip_conv(axis, x, jnp.asarray([[2.0], [0.0], [3.0]]))
    np.testing.assert_array_equal(out[0, :, :, 0], expected)


@pytest.mark.parametrize(
    ("axis", "shape", "k"), [(1, (2, 16, 5, 3), 7), (2, (1, 3, 9, 2), 11), (1, (1, 2, 3, 2), 5)]
)
def test_both_forms_agree_with_scipy_and_in_gradients(axis, shape, k):
    x, kernel, g = arrays(shape, k)
    weights = np.asarray(kernel).reshape((k, 1, -1) if axis == 1 else (1, k, -1))
    expected = np.stack(
        [
            scipy.ndimage.correlate(np.asarray(image)[..., c], weights[..., c], mode="constant")
            for image in x
            for c in range(shape[-1])
        ]
    )
    # (B*C, H, W) -> (B, C, H, W) -> (B, H, W, C)
    expected = expected.reshape(shape[0], shape[-1], *shape[1:3]).transpose(0, 2, 3, 1)

    @jax.jit
    def by_each_form(x, kernel, g):
        values = shifted_products(axis, x, kernel), grouped_conv(axis, x, kernel)
        return values, (
            shifted_gradients(axis, x, kernel, g),
            grouped_gradients(axis, x, kernel, g),
        )

    values, gradients = by_each_form(x, kernel, g)
    for value in values:
        np.testing.assert_allclose(value, expected, atol=1e-5)
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-5)


def test_differentiation_goes_through_the_chosen_form():
    x, kernel, g = arrays((1, 6, 6, 2), 3)

    @jax.jit
    def both(x, kernel, g):
        pullback = jax.vjp(functools.partial(strip_conv, 2), x, kernel)[1]
        return pullback(g), shifted_gradients(2, x, kernel, g)

    for ours, theirs in zip(*both(x, kernel, g), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("platform", "grouped"), [("cpu", False), ("cuda", True)])
def test_each_platform_gets_its_form(platform, grouped):
    x, kernel, _ = arrays((1, 4, 4, 3), 3)
    exported = jax.export.export(jax.jit(functools.partial(strip_conv, 1)), platforms=[platform])(
        x, kernel
    )
    assert ("feature_group_count = 3" in exported.mlir_module()) == grouped


def test_bfloat16_keeps_its_type_and_accumulates_in_float32():
    x, kernel, g = arrays((1, 8, 8, 4), 7, jnp.bfloat16)
    exact = jax.jit(functools.partial(shifted_products, 1))(
        x.astype(jnp.float32), kernel.astype(jnp.float32)
    )
    out = jax.jit(functools.partial(shifted_products, 1))(x, kernel)
    assert out.dtype == jnp.bfloat16
    np.testing.assert_array_equal(out, exact.astype(jnp.bfloat16))
    gradients = jax.eval_shape(functools.partial(shifted_gradients, 1), x, kernel, g)
    assert [d.dtype for d in gradients] == [jnp.bfloat16] * 2


@pytest.mark.parametrize(("axis", "shape"), [(1, (5, 1, 2)), (2, (1, 5, 2))])
def test_module(axis, shape):
    x, kernel, _ = arrays((1, 6, 4, 2), 5)
    layer = StripConv(5, axis, jax.nn.initializers.ones)
    like = jax.eval_shape(layer.init, jax.random.key(0), x)["params"]
    assert like["kernel"].shape == shape
    params = {"kernel": kernel.reshape(shape), "bias": jnp.asarray([1.0, 2.0])}
    found = jax.jit(layer.apply)({"params": params}, x) - params["bias"][None, None, None]
    plain = jax.jit(functools.partial(grouped_conv, axis))(x, kernel)
    np.testing.assert_allclose(found, plain, atol=1e-5)

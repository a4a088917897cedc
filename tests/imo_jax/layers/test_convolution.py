"""The k x k convolution and the gradients written for the CPU."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.layers import convolution


def inputs(size):
    rng = np.random.default_rng(size)
    x = jnp.asarray(rng.normal(size=(2, 5, 6, 3)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(size, size, 3, 4)), jnp.float32)
    g = jnp.asarray(rng.normal(size=(2, 5, 6, 4)), jnp.float32)
    return x, kernel, g


def test_a_box_kernel_counts_neighbours():
    x, kernel = jnp.ones((1, 3, 3, 1)), jnp.ones((3, 3, 1, 1))
    expected = [[4, 6, 4], [6, 9, 6], [4, 6, 4]]
    np.testing.assert_allclose(convolution.conv(x, kernel)[0, :, :, 0], expected)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_gradients_equal_those_of_xla(size):
    x, kernel, g = inputs(size)
    ours = jax.jit(convolution.tap_gradients)(x, kernel, g)
    xla = jax.jit(convolution.transposed_gradients)(x, kernel, g)
    for a, b in zip(ours, xla, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_grad_goes_through_the_custom_rule():
    x, kernel, g = inputs(3)
    ours = jax.jit(jax.grad(lambda *a: jnp.sum(convolution.conv(*a) * g), argnums=(0, 1)))(
        x, kernel
    )
    for a, b in zip(ours, convolution.tap_gradients(x, kernel, g), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)

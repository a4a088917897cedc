"""Operations counted by XLA's analysis, on functions whose number is known."""

import jax
import jax.numpy as jnp

from benchmarks.speed.jax_cases import algorithm_flops
from imo_jax.layers.convolution import conv
from imo_jax.layers.depthwise import depthwise_conv


def test_a_matrix_product():
    a, b = jnp.zeros((8, 16)), jnp.zeros((16, 32))
    assert algorithm_flops(jnp.matmul, a, b) == 2 * 8 * 16 * 32


def test_a_convolution_and_its_gradients_are_three_convolutions():
    x, kernel = jnp.zeros((1, 32, 32, 4)), jnp.zeros((3, 3, 4, 8))
    once = algorithm_flops(conv, x, kernel)
    # Taps that fall on the padding are not counted.
    assert 0.9 * 2 * 32 * 32 * 9 * 4 * 8 < once <= 2 * 32 * 32 * 9 * 4 * 8
    both = algorithm_flops(jax.grad(lambda x, k: conv(x, k).sum(), argnums=(0, 1)), x, kernel)
    assert 1.8 < both / once < 2.3


def test_depthwise_gradients_count_every_tap():
    """On CPU a loop over the taps runs, which the analysis would count once."""
    x, kernel = jnp.zeros((1, 32, 32, 8)), jnp.zeros((7, 7, 8))
    once = algorithm_flops(depthwise_conv, x, kernel)
    assert 0.8 * 2 * 32 * 32 * 49 * 8 < once <= 2 * 32 * 32 * 49 * 8
    gradient = jax.grad(lambda k: depthwise_conv(x, k).sum())
    assert 0.8 < algorithm_flops(gradient, kernel) / once < 2.3

"""Convolution of images to a handful of channels, as a classifier's, for CPUs.

XLA's CPU takes as long for 3 outputs as for 16. Here every pixel is multiplied once with the kernel's nine taps, one
product for all, and what they give is added up where it belongs; the gradients of pixels and kernel are products with the
nine outputs' gradients that met each pixel.
"""

import functools
import itertools
import math

import jax
import jax.numpy as jnp

from imo_jax.layers.plain_conv import Padding

TAPS = tuple(itertools.product(range(3), repeat=2))
MAX_OUTPUTS = 4  # with more, the nine taps' products are too large to be worth it
MIN_POSITIONS = 2**14  # below, there is nothing to win


def suits(x: jax.Array, kernel: jax.Array, stride: int, dilation: int, padding: Padding) -> bool:
    """Whether `few_outputs_conv` computes this convolution, and in less time than XLA's."""
    return (
        kernel.shape[:2] == (3, 3)
        and kernel.shape[-1] <= MAX_OUTPUTS
        and kernel.shape[-2] >= 4 * kernel.shape[-1]
        and math.prod(x.shape[:-1]) >= MIN_POSITIONS
        and stride == dilation == 1
        and max(map(max, padding)) <= 2
        and x.dtype == jnp.float32
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def few_outputs_conv(padding: Padding, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The convolution with stride 1.

    Args:
      padding: zeros (before, after) both axes, at most 2.
      x: (B, H, W, in) float32.
      kernel: (3, 3, in, out) float32.

    Returns:
      (B, H + zeros - 2, W + zeros - 2, out).
    """
    (batch, *size, channels), outputs = x.shape, kernel.shape[-1]
    rows, columns = (n + sum(zeros) - 2 for n, zeros in zip(size, padding, strict=True))
    # (N, in) x (in, 9 out): what each pixel gives to the outputs around it
    given = x.reshape(-1, channels) @ kernel.transpose(2, 0, 1, 3).reshape(channels, -1)
    given = jnp.pad(given.reshape(batch, *size, 9 * outputs), [(0, 0), *padding, (0, 0)])
    given = jax.lax.optimization_barrier(given)
    return sum(
        given[:, i : i + rows, j : j + columns, tap * outputs : (tap + 1) * outputs]
        for tap, (i, j) in enumerate(TAPS)
    )


def _forward(padding: Padding, x: jax.Array, kernel: jax.Array) -> tuple:
    return few_outputs_conv(padding, x, kernel), (x, kernel)


def _backward(padding: Padding, saved: tuple, g: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    height, width, channels = x.shape[1:]
    outside = [(2 - before, 2 - after) for before, after in padding]
    g = jnp.pad(g, [(0, 0), *outside, (0, 0)])
    met = [g[:, 2 - i : 2 - i + height, 2 - j : 2 - j + width] for i, j in TAPS]
    # (B, H, W, 9 out) -> (N, 9 out): gradients of the outputs that saw each pixel, tap by tap
    met = jax.lax.optimization_barrier(jnp.concatenate(met, axis=-1))
    met = met.reshape(-1, met.shape[-1])
    of_x = met @ kernel.transpose(0, 1, 3, 2).reshape(-1, channels)
    # (N, in) x (N, 9 out), over the pixels -> (in, 9 out)
    of_kernel = jax.lax.dot_general(x.reshape(-1, channels), met, (((0,), (0,)), ((), ())))
    return of_x.reshape(x.shape), of_kernel.reshape(channels, 3, 3, -1).transpose(1, 2, 0, 3)


few_outputs_conv.defvjp(_forward, _backward)

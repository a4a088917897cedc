"""Convolution of images with a handful of channels by a large kernel with stride 2, as an encoder's first, for CPUs.

The convolution is XLA's. The gradient of its kernel sums over all positions, and XLA's CPU takes twice as long for it as
for the product that it is: here the image lies plane by plane, so that what each of the kernel's columns sees is copied
in whole rows, and what its rows see are parts of that.
"""

import functools
import math

import jax
import jax.numpy as jnp

from imo_jax.layers.plain_conv import Padding, Window, plain_conv

STRIDE = 2
MAX_INPUTS = 4
MIN_SIZE = 5  # of the kernel; with a smaller one XLA takes no longer
MIN_POSITIONS = 2**14


def suits(x: jax.Array, kernel: jax.Array, stride: int, dilation: int, padding: Padding) -> bool:
    """Whether `few_inputs_conv` computes this convolution, and its gradient in less time than XLA."""
    return (
        kernel.shape[0] == kernel.shape[1] >= MIN_SIZE
        and kernel.shape[2] <= MAX_INPUTS
        and math.prod(x.shape[:-1]) >= MIN_POSITIONS
        and (stride, dilation) == (STRIDE, 1)
        and x.dtype == jnp.float32
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def few_inputs_conv(padding: Padding, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The convolution with stride 2.

    Args:
      padding: zeros (before, after) both axes.
      x: (B, H, W, in) float32.
      kernel: (k, k, in, out) float32.

    Returns:
      (B, (H + zeros - k) // 2 + 1, (W + zeros - k) // 2 + 1, out).
    """
    return plain_conv(Window(STRIDE, 1, padding), x, kernel)


def _forward(padding: Padding, x: jax.Array, kernel: jax.Array) -> tuple:
    return few_inputs_conv(padding, x, kernel), (x, kernel)


def _backward(padding: Padding, saved: tuple, g: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    window = Window(STRIDE, 1, padding)
    (of_x,) = jax.vjp(lambda x: plain_conv(window, x, kernel), x)[1](g)
    return of_x, _of_kernel(padding, x, g, len(kernel))


few_inputs_conv.defvjp(_forward, _backward)


def _of_kernel(padding: Padding, x: jax.Array, g: jax.Array, size: int) -> jax.Array:
    """(k, k, in, out): for each tap the sum over B, H', W' of the pixels that it met times g."""
    halves = -(-size // STRIDE)
    planes = _planes(padding, x, [n + halves - 1 for n in g.shape[1:3]])
    # An image at a time, so that what is copied of it is still in the cache when it is multiplied.
    total = sum(_of_image(one, of_one, halves) for one, of_one in zip(planes, g, strict=True))
    # (halves, rows, halves, columns, in, out) -> (k, k, in, out), but for what an odd kernel has not
    taps = total.reshape(STRIDE * halves, STRIDE * halves, *total.shape[4:])
    return taps[:size, :size]


def _planes(padding: Padding, x: jax.Array, size: list[int]) -> jax.Array:
    """(B, H, W, in) -> (B, 2, 2, in, *size): every second row and column of the image with its zeros."""
    whole = [STRIDE * n for n in size]
    margins = [
        (before, n - before - pixels, 0)
        for n, pixels, (before, _) in zip(whole, x.shape[1:3], padding, strict=True)
    ]
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *margins, (0, 0, 0)])
    x = x.reshape(len(x), size[0], STRIDE, size[1], STRIDE, x.shape[-1])
    return jax.lax.optimization_barrier(x.transpose(0, 2, 4, 5, 1, 3))


def _of_image(planes: jax.Array, g: jax.Array, halves: int) -> jax.Array:
    """(2, 2, in, h, w) and (H', W', out) -> (halves, 2, halves, 2, in, out): tap (2 i + p, 2 j + q) at [i, p, j, q]."""
    rows, columns, outputs = g.shape
    inputs, height = planes.shape[2:4]
    # (2, 2, in, h, w) -> (2, halves, 2, in, h, W') -> (4 halves in, h W')
    seen = jnp.stack([planes[..., j : j + columns] for j in range(halves)], axis=1)
    seen = jax.lax.optimization_barrier(seen).reshape(-1, height * columns)
    g = g.reshape(-1, outputs)
    # (4 halves in, H' W') x (H' W', out)
    products = [seen[:, i * columns : (i + rows) * columns] @ g for i in range(halves)]
    return jnp.stack(products).reshape(halves, STRIDE, halves, STRIDE, inputs, outputs)

"""Depthwise convolution along one axis (1 x k or k x 1) that is fast on each platform.

The reasons are those of layers/depthwise.py: XLA's grouped convolution is slow on CPU, where a sum
of shifted products and, for the kernel's gradient, folded products and a matmul are quick.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers import initializers
from imo_jax.layers.depthwise import FOLD


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def strip_conv(axis: int, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Depthwise convolution along one axis, stride 1, zero padding k // 2.

    Args:
      axis: 1 for a k x 1 kernel, 2 for a 1 x k kernel.
      x: (B, H, W, C).
      kernel: (k, C), k odd, x's dtype.

    Returns:
      (B, H, W, C): sum over i of x shifted by i - k//2 along `axis` times kernel[i].
    """
    return jax.lax.platform_dependent(
        x,
        kernel,
        cpu=functools.partial(shifted_products, axis),
        default=functools.partial(grouped_conv, axis),
    )


def _forward(
    axis: int, x: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return strip_conv(axis, x, kernel), (x, kernel)


def _backward(
    axis: int, saved: tuple[jax.Array, jax.Array], g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    return jax.lax.platform_dependent(
        *saved,
        g,
        cpu=functools.partial(shifted_gradients, axis),
        default=functools.partial(grouped_gradients, axis),
    )


strip_conv.defvjp(_forward, _backward)


def grouped_conv(axis: int, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As a convolution with one group a channel."""
    r = kernel.shape[0] // 2
    # (k, C) -> (k, 1, 1, C) or (1, k, 1, C)
    kernel = kernel[:, None, None] if axis == 1 else kernel[None, :, None]
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(1, 1),
        padding=((r, r), (0, 0)) if axis == 1 else ((0, 0), (r, r)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


def grouped_gradients(
    axis: int, x: jax.Array, kernel: jax.Array, g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Gradients of `grouped_conv`."""
    return jax.vjp(functools.partial(grouped_conv, axis), x, kernel)[1](g)


def shifted_products(axis: int, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As a sum of k shifted products; accumulated in float32."""
    padded = _pad(axis, x, kernel.shape[0] // 2)
    # (k, C) -> (k, 1, 1, 1, C)
    taps = kernel.astype(jnp.float32)[:, None, None, None]
    terms = (
        jax.lax.slice_in_dim(padded, i, i + x.shape[axis], axis=axis)
        * jax.lax.index_in_dim(taps, i, keepdims=False)
        for i in range(kernel.shape[0])
    )
    total = functools.reduce(jax.lax.add, terms)
    # As in depthwise.shifted_products: changes no value but ends the sum for XLA:CPU.
    return jnp.where(total == total, total, jnp.nan).astype(x.dtype)


def shifted_gradients(
    axis: int, x: jax.Array, kernel: jax.Array, g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Gradients of `shifted_products`."""
    return shifted_products(axis, g, kernel[::-1]), _kernel_gradient(axis, x, kernel, g)


def _kernel_gradient(axis: int, x: jax.Array, kernel: jax.Array, g: jax.Array) -> jax.Array:
    """(k, C): for each tap the sum over B, H, W of x shifted by the tap times g."""
    batch, height, width, channels = x.shape
    padded = _pad(axis, x, kernel.shape[0] // 2)
    g = g.astype(jnp.float32)
    fold = next(n for n in range(min(FOLD, height), 0, -1) if height % n == 0)
    rows = height // fold

    def of_tap(_, tap: jax.Array) -> tuple[None, jax.Array]:
        down, right = (tap, 0) if axis == 1 else (0, tap)
        folded = sum(
            jax.lax.dynamic_slice(
                padded, (0, down + n * rows, right, 0), (batch, rows, width, channels)
            )
            * g[:, n * rows : (n + 1) * rows]
            for n in range(fold)
        )
        # (B, rows, W, C) -> (B*rows*W, C);  (1, N) x (N, C) -> (C,)
        folded = folded.reshape(-1, channels)
        return None, (jnp.ones((1, folded.shape[0]), jnp.float32) @ folded)[0]

    _, taps = jax.lax.scan(of_tap, None, jnp.arange(kernel.shape[0]))
    return taps.astype(kernel.dtype)


def _pad(axis: int, x: jax.Array, r: int) -> jax.Array:
    margins = [(0, 0)] * 4
    margins[axis] = (r, r)
    # The barrier keeps XLA from computing what x comes from anew for every tap.
    return jax.lax.optimization_barrier(jnp.pad(x.astype(jnp.float32), margins))


class StripConv(nn.Module):
    """k x 1 (axis 1) or 1 x k (axis 2) depthwise convolution.

    Parameters: `kernel` (k, 1, C) or (1, k, C), `bias` (C,).
    """

    size: int
    axis: int
    kernel_init: initializers.Initializer
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        shape = [1, 1, channels]
        shape[self.axis - 1] = self.size
        kernel = self.param("kernel", self.kernel_init, tuple(shape), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (channels,), jnp.float32)
        # (k, 1, C) or (1, k, C) -> (k, C)
        strip = kernel.reshape(self.size, channels).astype(self.dtype)
        y = strip_conv(self.axis, x.astype(self.dtype), strip)
        return y + bias.astype(self.dtype)[None, None, None]

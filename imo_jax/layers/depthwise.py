"""Depthwise convolution that is fast on each platform.

XLA's grouped convolution is right for GPU and TPU and 20 to 60 times too slow on CPU. There the
result is a sum of shifted products (one fused loop, vectorised over channels), and so is the
gradient of the input. The kernel's gradient is one reduction over all pixels a tap, which XLA:CPU
does not vectorise; it is folded into few rows by elementwise sums first and finished by a matmul.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers import initializers

FOLD = 8  # rows added elementwise before the matmul; measured best of 4 to 48


@jax.custom_vjp
def depthwise_conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Depthwise convolution, stride 1, zero padding k // 2.

    Args:
      x: (B, H, W, C).
      kernel: (k, k, C), k odd, x's dtype.

    Returns:
      (B, H, W, C): sum over (i, j) of x shifted by (i - k//2, j - k//2) times kernel[i, j].
    """
    return jax.lax.platform_dependent(x, kernel, cpu=shifted_products, default=grouped_conv)


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return depthwise_conv(x, kernel), (x, kernel)


def _backward(saved: tuple[jax.Array, jax.Array], g: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    return jax.lax.platform_dependent(
        x, kernel, g, cpu=shifted_gradients, default=grouped_gradients
    )


depthwise_conv.defvjp(_forward, _backward)


def grouped_conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As a convolution with one group a channel."""
    r = kernel.shape[0] // 2
    return jax.lax.conv_general_dilated(
        x,
        kernel[:, :, None, :],
        window_strides=(1, 1),
        padding=((r, r), (r, r)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


def grouped_gradients(x: jax.Array, kernel: jax.Array, g: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Gradients of `grouped_conv`."""
    return jax.vjp(grouped_conv, x, kernel)[1](g)


def shifted_products(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As a sum of k * k shifted products; accumulated in float32."""
    k = kernel.shape[0]
    _, height, width, _ = x.shape
    padded = _pad(x.astype(jnp.float32), k // 2)
    kernel = kernel.astype(jnp.float32)
    terms = [
        padded[:, i : i + height, j : j + width] * kernel[i, j][None, None, None]
        for i in range(k)
        for j in range(k)
    ]
    total = sum(terms[1:], start=terms[0])
    # Changes no value (NaN stays NaN) but ends the sum for XLA:CPU, which otherwise gives its last
    # additions to a norm or matmul that follows and stores the other terms, several times slower.
    return jnp.where(total == total, total, jnp.nan).astype(x.dtype)


def shifted_gradients(x: jax.Array, kernel: jax.Array, g: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Gradients of `shifted_products`."""
    # d out[y] / d x[y + i - r] = kernel[i]: a convolution of g with the flipped kernel.
    return shifted_products(g, kernel[::-1, ::-1]), _kernel_gradient(x, kernel, g)


def _kernel_gradient(x: jax.Array, kernel: jax.Array, g: jax.Array) -> jax.Array:
    """(k, k, C): for each tap the sum over B, H, W of x shifted by the tap times g."""
    k, _, channels = kernel.shape
    batch, height, width, _ = x.shape
    padded = _pad(x.astype(jnp.float32), k // 2)
    g = g.astype(jnp.float32)
    fold = next(n for n in range(min(FOLD, height), 0, -1) if height % n == 0)
    rows = height // fold

    def of_tap(_, tap: jax.Array) -> tuple[None, jax.Array]:
        i, j = tap // k, tap % k
        folded = sum(
            jax.lax.dynamic_slice(padded, (0, i + n * rows, j, 0), (batch, rows, width, channels))
            * g[:, n * rows : (n + 1) * rows]
            for n in range(fold)
        )
        # (B, rows, W, C) -> (B*rows*W, C);  (1, N) x (N, C) -> (C,)
        folded = folded.reshape(-1, channels)
        return None, (jnp.ones((1, folded.shape[0]), jnp.float32) @ folded)[0]

    _, taps = jax.lax.scan(of_tap, None, jnp.arange(k * k))
    return taps.reshape(kernel.shape).astype(kernel.dtype)


def _pad(x: jax.Array, r: int) -> jax.Array:
    # The barrier keeps XLA from computing what x comes from (a norm, say) anew for every tap.
    return jax.lax.optimization_barrier(jnp.pad(x, ((0, 0), (r, r), (r, r), (0, 0))))


class DepthwiseConv(nn.Module):
    """k x k depthwise convolution with zero padding k // 2; parameter `kernel` (k, k, C)."""

    size: int
    use_bias: bool
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        init = initializers.torch_bias(self.size**2)  # each output sees k*k inputs
        kernel = self.param("kernel", init, (self.size, self.size, channels), jnp.float32)
        y = depthwise_conv(x.astype(self.dtype), kernel.astype(self.dtype))
        if self.use_bias:
            bias = self.param("bias", init, (channels,), jnp.float32)
            y = y + bias.astype(self.dtype)[None, None, None]
        return y

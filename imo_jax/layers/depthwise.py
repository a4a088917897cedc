"""Depthwise convolution that is fast on each platform."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers import initializers


def depthwise_conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Depthwise convolution, stride 1, zero padding k // 2.

    Args:
      x: (B, H, W, C).
      kernel: (k, k, C), k odd, x's dtype.

    Returns:
      (B, H, W, C): sum over (i, j) of x shifted by (i - k//2, j - k//2) times kernel[i, j].
    """
    k = kernel.shape[0]
    batch, height, width, channels = x.shape
    r = k // 2
    padded = jnp.pad(x, ((0, 0), (r, r), (r, r), (0, 0)))
    out = jnp.zeros_like(x)
    for i in range(k):
        for j in range(k):
            out = out + padded[:, i : i + height, j : j + width] * kernel[i, j][None, None, None]
    return out


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

"""Linear layers: on the last axis (which is also every 1x1 convolution) and on patches."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers import initializers


def linear(x: jax.Array, kernel: jax.Array, bias: jax.Array | None, dtype) -> jax.Array:
    """x (..., in) @ kernel (in, out) + bias (out,), computed in `dtype`."""
    # As a product of matrices, so that XLA:CPU folds the transposition that the kernel's gradient
    # needs into the matmul; with more axes it makes a transposed copy, slower than the matmul.
    # (..., in) -> (N, in);  (N, in) x (in, out) -> (N, out)
    y = x.astype(dtype).reshape(-1, x.shape[-1]) @ kernel.astype(dtype)
    if bias is not None:
        y = y + bias.astype(dtype)[None]
    # (N, out) -> (..., out)
    return y.reshape(*x.shape[:-1], kernel.shape[1])


class Linear(nn.Module):
    """y = x W + b on the last axis; a 1x1 convolution when x is (B, H, W, C).

    Attributes:
      features: outputs.
      use_bias: whether there is a b.
      kernel_init, bias_init: defaults are PyTorch's (see layers/initializers.py).
      dtype: of the computation and the result; parameters are float32.
    """

    features: int
    use_bias: bool = True
    kernel_init: initializers.Initializer = initializers.torch_kernel
    bias_init: initializers.Initializer | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        fan_in = x.shape[-1]
        kernel = self.param("kernel", self.kernel_init, (fan_in, self.features), jnp.float32)
        bias = None
        if self.use_bias:
            bias_init = self.bias_init or initializers.torch_bias(fan_in)
            bias = self.param("bias", bias_init, (self.features,), jnp.float32)
        return linear(x, kernel, bias, self.dtype)


class PatchConv(nn.Module):
    """Convolution with kernel size = stride = `patch`, no padding: one matmul of flat patches.

    Rows and columns beyond the last whole patch are dropped, as a strided convolution does.
    Kernel (patch, patch, in, features), so the fan-in of the initialisation is the patch's.
    """

    features: int
    patch: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        p = self.patch
        batch, height, width, channels = x.shape
        rows, cols = height // p, width // p
        kernel = self.param(
            "kernel", initializers.torch_kernel, (p, p, channels, self.features), jnp.float32
        )
        bias = self.param(
            "bias", initializers.torch_bias(p * p * channels), (self.features,), jnp.float32
        )
        # (B, H, W, C) -> (B, rows, p, cols, p, C) -> (B, rows, cols, p, p, C)
        x = x[:, : rows * p, : cols * p, :].reshape(batch, rows, p, cols, p, channels)
        x = x.transpose(0, 1, 3, 2, 4, 5)
        # (B, rows, cols, p, p, C) -> (B, rows, cols, p*p*C)
        x = x.reshape(batch, rows, cols, p * p * channels)
        # (p, p, C, out) -> (p*p*C, out)
        return linear(x, kernel.reshape(-1, self.features), bias, self.dtype)

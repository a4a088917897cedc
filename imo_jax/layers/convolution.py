"""k x k convolution whose gradients are fast on each platform.

XLA:CPU computes a convolution quickly, but falls back to a plain loop for the two convolutions that
its transposition rule makes of one. So on CPU the gradient of the input is written as the forward
convolution that it is, and the gradient of the kernel as one matmul a tap.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers import initializers


@jax.custom_vjp
def conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution with stride 1 and zero padding k // 2.

    Args:
      x: (B, H, W, in).
      kernel: (k, k, in, out), k odd, x's dtype.

    Returns:
      (B, H, W, out).
    """
    pad = (kernel.shape[0] // 2, kernel.shape[1] // 2)
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(1, 1),
        padding=((pad[0], pad[0]), (pad[1], pad[1])),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return conv(x, kernel), (x, kernel)


def _backward(saved: tuple[jax.Array, jax.Array], g: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jax.lax.platform_dependent(*saved, g, cpu=tap_gradients, default=transposed_gradients)


conv.defvjp(_forward, _backward)


def transposed_gradients(
    x: jax.Array, kernel: jax.Array, g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Gradients by XLA's own rule."""
    return jax.vjp(conv.fun, x, kernel)[1](g)


def tap_gradients(x: jax.Array, kernel: jax.Array, g: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Gradients as a convolution with the flipped kernel, and as one matmul a tap."""
    # (k, k, in, out) -> (k, k, out, in)
    of_x = conv.fun(g, kernel[::-1, ::-1].swapaxes(2, 3))
    k = kernel.shape[0]
    batch, height, width, channels = x.shape
    padded = jnp.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2), (0, 0)))
    # (B, H, W, out) -> (B*H*W, out): as matrices, see linear.linear.
    g = g.reshape(-1, kernel.shape[3])

    def of_tap(_, tap: jax.Array) -> tuple[None, jax.Array]:
        start = (0, tap // k, tap % k, 0)
        shifted = jax.lax.dynamic_slice(padded, start, (batch, height, width, channels))
        # (B*H*W, in) x (B*H*W, out) -> (in, out)
        return None, shifted.reshape(-1, channels).T @ g

    # A loop, because k * k unrolled products take long to compile.
    _, taps = jax.lax.scan(of_tap, None, jnp.arange(k * k))
    return of_x, taps.reshape(kernel.shape)


class Conv(nn.Module):
    """k x k convolution, stride 1, zero padding k // 2, no bias; kernel (k, k, in, out)."""

    features: int
    size: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", initializers.torch_kernel, shape, jnp.float32)
        return conv(x.astype(self.dtype), kernel.astype(self.dtype))

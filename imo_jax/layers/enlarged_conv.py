"""3x3 convolution of a map that is enlarged twofold by nearest neighbours, beside another map.

Every output sees 2x2 pixels of the small map, some of them through two or four taps of the kernel. On CPU the taps are
added up first: four kernels of 2x2, one for each place within a twofold square, on the small map. 16 multiplications
instead of 36, and XLA:CPU is quick with four times the outputs where it is slow with few.
"""

import functools
import itertools
import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.layers import initializers
from imo_jax.layers.convolution import conv, image_conv
from imo_jax.layers.interleave import interleaved
from imo_jax.layers.plain_conv import Window, plain_conv
from imo_jax.layers.resize import upsample_nearest

WINDOW = Window(1, 1, ((1, 1), (1, 1)))
# SEEN[place, pixel, tap]: of the two pixels around an output on a line, which one the kernel's tap meets.
SEEN = np.array([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], np.float32)
MIN_POSITIONS = (
    1024  # of the small map; below, XLA's convolution of the enlarged map takes no longer
)


def enlarged_conv(
    x: jax.Array, skip: jax.Array | None, kernel: jax.Array, size: tuple[int, int]
) -> jax.Array:
    """The convolution with one row and column of zeros around.

    Args:
      x: (B, H, W, C), to be enlarged.
      skip: (B, *size, D), whose channels come after x's; None: there is none.
      kernel: (3, 3, C + D, out), x's dtype.
      size: of the result: (2 H, 2 W), or any other, which takes longer on CPU.

    Returns:
      (B, *size, out).
    """
    if size == _twice(x) and math.prod(x.shape[:3]) >= MIN_POSITIONS:
        return _twofold_conv(x, skip, kernel)
    return conv(enlarged_beside(x, skip, size), kernel)


def _twice(x: jax.Array) -> tuple[int, int]:
    return 2 * x.shape[1], 2 * x.shape[2]


@jax.custom_vjp
def _twofold_conv(x: jax.Array, skip: jax.Array | None, kernel: jax.Array) -> jax.Array:
    return jax.lax.platform_dependent(x, skip, kernel, cpu=by_places, default=as_written)


def _forward(x: jax.Array, skip: jax.Array | None, kernel: jax.Array) -> tuple:
    return _twofold_conv(x, skip, kernel), (x, skip, kernel)


def _backward(saved: tuple, g: jax.Array) -> tuple:
    def gradients(form: Callable, x, skip, kernel, g):
        return jax.vjp(form, x, skip, kernel)[1](g)

    return jax.lax.platform_dependent(
        *saved,
        g,
        cpu=functools.partial(gradients, by_places),
        default=functools.partial(gradients, as_written),
    )


_twofold_conv.defvjp(_forward, _backward)


def as_written(x: jax.Array, skip: jax.Array | None, kernel: jax.Array) -> jax.Array:
    """As one convolution of the enlarged map."""
    return plain_conv(WINDOW, enlarged_beside(x, skip, _twice(x)), kernel)


def enlarged_beside(x: jax.Array, skip: jax.Array | None, size: tuple[int, int]) -> jax.Array:
    """(B, *size, C + D): x enlarged, and the skip."""
    x = upsample_nearest(x, size)
    return x if skip is None else jnp.concatenate([x, skip], axis=-1)


def by_places(x: jax.Array, skip: jax.Array | None, kernel: jax.Array) -> jax.Array:
    """As a convolution of the small map for each place in a twofold square, and one of the skip."""
    channels = x.shape[-1]
    y = _of_small(x, _added(kernel[:, :, :channels]))
    return y if skip is None else y + image_conv(WINDOW, skip, kernel[:, :, channels:])


def _added(kernel: jax.Array) -> jax.Array:
    """(3, 3, C, out) -> (2, 2, C, 4 out): the taps that meet each pixel, for the four places."""
    added = jnp.einsum("pai,qbj,ijco->abcpqo", SEEN, SEEN, kernel.astype(jnp.float32))
    return added.reshape(2, 2, kernel.shape[2], -1).astype(kernel.dtype)


@jax.custom_vjp
def _of_small(x: jax.Array, kernels: jax.Array) -> jax.Array:
    """(B, H, W, C), (2, 2, C, 4 out) -> (B, 2 H, 2 W, out)."""
    height, width, outputs = *x.shape[1:3], kernels.shape[-1] // 4
    # (B, H + 1, W + 1, 4 out): output (m, n) sees the pixels m - 1 and m, n - 1 and n.
    y = jax.lax.optimization_barrier(plain_conv(WINDOW, x, kernels))
    squares = [
        [y[:, p : p + height, q : q + width, k * outputs : (k + 1) * outputs] for q, k in places]
        for p, places in enumerate([[(0, 0), (1, 1)], [(0, 2), (1, 3)]])
    ]
    return interleaved(squares)


def _of_small_forward(x: jax.Array, kernels: jax.Array) -> tuple:
    return _of_small(x, kernels), (x, kernels)


def _of_small_backward(saved: tuple, g: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Written out, since XLA:CPU's gradients of a convolution with 2x2 taps take some fifty times as long."""
    x, kernels = saved
    batch, height, width, channels = x.shape
    parts = [
        jnp.pad(g[:, p::2, q::2], [(0, 0), (p, 1 - p), (q, 1 - q), (0, 0)])
        for p, q in itertools.product(range(2), repeat=2)
    ]
    # (B, H + 1, W + 1, 4 out) -> (N, 4 out)
    g = jax.lax.optimization_barrier(jnp.concatenate(parts, axis=-1))
    g = g.reshape(-1, g.shape[-1])
    # What each output gives to all four pixels in one product: (N, 4 out) x (4 out, 4 C)
    given = jax.lax.optimization_barrier(g @ kernels.transpose(3, 0, 1, 2).reshape(g.shape[-1], -1))
    given = given.reshape(batch, height + 1, width + 1, 2, 2, channels)
    padded = jax.lax.optimization_barrier(jnp.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)]))
    of_x, of_kernels = 0, []
    for a, b in itertools.product(range(2), repeat=2):
        of_x = of_x + given[:, 1 - a : 1 - a + height, 1 - b : 1 - b + width, a, b]
        # (N, C) x (N, 4 out), over the positions -> (C, 4 out)
        seen = padded[:, a : a + height + 1, b : b + width + 1].reshape(-1, channels)
        of_kernels.append(jax.lax.dot_general(seen, g, (((0,), (0,)), ((), ()))))
    return of_x, jnp.stack(of_kernels).reshape(kernels.shape)


_of_small.defvjp(_of_small_forward, _of_small_backward)


class EnlargedConv(nn.Module):
    """The convolution without a bias; parameter `kernel` (3, 3, C + D, features).

    Attributes:
      features: outputs.
      kernel_init: default is PyTorch's (see layers/initializers.py).
      dtype: of the computation and the result; the parameter is float32.
    """

    features: int
    kernel_init: initializers.Initializer = initializers.torch_kernel
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, skip: jax.Array | None, size: tuple[int, int]) -> jax.Array:
        """Arguments and result: see `enlarged_conv`."""
        channels = x.shape[-1] + (0 if skip is None else skip.shape[-1])
        shape = (3, 3, channels, self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32).astype(self.dtype)
        skip = None if skip is None else skip.astype(self.dtype)
        return enlarged_conv(x.astype(self.dtype), skip, kernel, size)

"""Convolution of images with 3x3 kernels by Winograd's minimal filtering, for CPUs.

F(2x2, 3x3) of Lavin and Gray, "Fast algorithms for convolutional neural networks" (CVPR 2016): a
square of 2x2 outputs costs 16 multiplications instead of 36. What is left are 16 matrix products,
which XLA's CPU runs at twice the speed of its convolution. Exact but for rounding: float32 results
differ from the direct ones by some 5e-7 of their norm, gradients of kernels by 3e-6.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

Padding = tuple[tuple[int, int], tuple[int, int]]
Grid = list[list[jax.Array]]

# The paper's G.
HALVES = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)

TURNED = (3, 1, 2, 0)  # row of G for the kernel back to front

# Where it is faster: with fewer channels adding costs more than multiplying, and half a second of
# compiling has to be earned back. Products are positions x inputs x outputs.
MIN_CHANNELS = 64
MIN_PRODUCTS = 2**25


def suits(x: jax.Array, kernel: jax.Array, stride: int, dilation: int, padding: Padding) -> bool:
    """Whether `winograd_conv` computes this convolution, and in less time than XLA's."""
    positions, channels = math.prod(x.shape[:-1]), kernel.shape[2:]
    return (
        kernel.shape[:2] == (3, 3)
        and min(channels) >= MIN_CHANNELS
        and positions * math.prod(channels) >= MIN_PRODUCTS
        and stride == dilation == 1
        and max(map(max, padding)) <= 2
        and x.dtype == jnp.float32  # the differences cost bfloat16 more digits than it has
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def winograd_conv(padding: Padding, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The convolution with stride 1.

    Args:
      padding: zeros (before, after) both axes, at most 2.
      x: (B, H, W, in) float32.
      kernel: (3, 3, in, out) float32.

    Returns:
      (B, H + zeros - 2, W + zeros - 2, out).
    """
    return _filtered(padding, x, _filters(kernel), 0)


def _forward(padding: Padding, x: jax.Array, kernel: jax.Array) -> tuple:
    return winograd_conv(padding, x, kernel), (x, kernel)


def _backward(padding: Padding, saved: tuple, g: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    # The gradient of x is g convolved with the kernel turned round, from out to in. Turning a kernel
    # round changes the places of its filters alone: so XLA finds that they are those of the forward pass.
    filters = _filters(kernel)
    turned = [[filters[i][j] for j in TURNED] for i in TURNED]
    outside = tuple((2 - before, 2 - after) for before, after in padding)
    return _filtered(outside, g, turned, 1), _of_kernel(padding, x, g)


winograd_conv.defvjp(_forward, _backward)


def _filtered(padding: Padding, x: jax.Array, filters: Grid, axis: int) -> jax.Array:
    """The convolution with `_filters` of a kernel, whose axis `axis` are the input channels."""
    height, width = (n + sum(zeros) - 2 for n, zeros in zip(x.shape[1:3], padding, strict=True))
    # Barriers: else XLA computes what comes before and after once in each of the 16 transforms.
    tiles = _tiles(jax.lax.optimization_barrier(_padded_to_even(padding, x)))
    products = [[_product(tiles[i][j], filters[i][j], axis) for j in range(4)] for i in range(4)]
    return jax.lax.optimization_barrier(_squares(products)[:, :height, :width])


def _product(tile: jax.Array, filter: jax.Array, axis: int) -> jax.Array:
    """(B, h, w, in) with (in, out), or (out, in) for axis 1, -> (B, h, w, out)."""
    # As matrices: XLA's gradient of a product over three axes transposes them first.
    rows = tile.reshape(-1, tile.shape[-1])
    product = jax.lax.dot_general(rows, filter, (((1,), (axis,)), ((), ())))
    return product.reshape(*tile.shape[:-1], -1)


def _of_kernel(padding: Padding, x: jax.Array, g: jax.Array) -> jax.Array:
    """Gradient of the kernel, (3, 3, in, out): G^T (tiles of x times A g A^T) G.

    Written out, since XLA makes the transpose of sixteen slices a sum of sixteen padded arrays.
    """
    tiles = _tiles(jax.lax.optimization_barrier(_padded_to_even(padding, x)))
    spread = _spread(jax.lax.optimization_barrier(_padded_to_even(((0, 0), (0, 0)), g)))
    products = [[_over_positions(tiles[i][j], spread[i][j]) for j in range(4)] for i in range(4)]
    rows = [_halves([products[i][j] for i in range(4)]) for j in range(4)]
    taps = [_halves([rows[j][i] for j in range(4)]) for i in range(3)]
    return jnp.stack([jnp.stack(row) for row in taps])


def _over_positions(tile: jax.Array, spread: jax.Array) -> jax.Array:
    """(B, h, w, in) with (B, h, w, out) -> (in, out)."""
    rows, of_rows = (x.reshape(-1, x.shape[-1]) for x in (tile, spread))
    return jax.lax.dot_general(rows, of_rows, (((0,), (0,)), ((), ())))


def _spread(g: jax.Array) -> Grid:
    """A g A^T of the squares of 2x2: (B, 2h, 2w, out) -> 4 x 4 of (B, h, w, out)."""
    rows = [_sums_transposed([g[:, i::2, j::2] for i in range(2)]) for j in range(2)]
    return [_sums_transposed([rows[j][i] for j in range(2)]) for i in range(4)]


def _sums_transposed(g: list[jax.Array]) -> list[jax.Array]:
    return [g[0], g[0] + g[1], g[0] - g[1], -g[1]]


def _halves(d: list[jax.Array]) -> list[jax.Array]:
    """G^T d."""
    even, odd = 0.5 * (d[1] + d[2]), 0.5 * (d[1] - d[2])
    return [d[0] + even, odd, even + d[3]]


def _padded_to_even(padding: Padding, x: jax.Array) -> jax.Array:
    """x with its zeros, and a row or column of them more where the output's size is odd."""
    more = [
        (before, after + (n + before + after) % 2)
        for n, (before, after) in zip(x.shape[1:3], padding, strict=True)
    ]
    return jnp.pad(x, [(0, 0), *more, (0, 0)])


def _tiles(x: jax.Array) -> Grid:
    """B^T d B of the 4x4 squares d at every second position: 4 x 4 of (B, H/2 - 1, W/2 - 1, in)."""
    height, width = (n - 2 for n in x.shape[1:3])
    rows = [
        _differences([x[:, i : i + height : 2, j : j + width : 2] for i in range(4)])
        for j in range(4)
    ]
    return [_differences([rows[j][i] for j in range(4)]) for i in range(4)]


def _differences(d: list[jax.Array]) -> list[jax.Array]:
    return [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]]


def _filters(kernel: jax.Array) -> Grid:
    """G g G^T of the kernel g: 4 x 4 of (in, out)."""
    both = jnp.asarray(np.kron(HALVES, HALVES))
    # (3, 3, in, out) -> (16, in * out): one product, not sixteen kernels to compile
    rows = both @ kernel.reshape(9, -1)
    filters = [row.reshape(kernel.shape[2:]) for row in rows]
    return [filters[i : i + 4] for i in range(0, 16, 4)]


def _squares(m: Grid) -> jax.Array:
    """A^T m A, the squares of 2x2 outputs: 4 x 4 of (B, h, w, out) -> (B, 2h, 2w, out)."""
    rows = [_sums([m[i][j] for i in range(4)]) for j in range(4)]
    squares = [_sums([rows[j][i] for j in range(4)]) for i in range(2)]
    # 2 x 2 of (B, h, w, out) -> (B, h, 2, w, 2, out)
    y = jnp.stack([jnp.stack(square, axis=3) for square in squares], axis=2)
    batch, height, _, width, _, out = y.shape
    return y.reshape(batch, 2 * height, 2 * width, out)


def _sums(m: list[jax.Array]) -> list[jax.Array]:
    return [m[0] + m[1] + m[2], m[1] - m[2] - m[3]]

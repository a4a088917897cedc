"""Convolution of images with 3x3 kernels by Winograd's minimal filtering, for CPUs.

F(2x2, 3x3) and F(4x4, 3x3) of Lavin and Gray, "Fast algorithms for convolutional neural networks" (CVPR 2016): a
square of 2x2 outputs costs 16 multiplications instead of 36, one of 4x4 outputs 36 instead of 144. What is left are 16 or
36 matrix products, which XLA's CPU runs at twice the speed of its convolution. Exact but for rounding: float32
results differ from the direct ones by some 5e-7 of their norm with the small squares and 2e-6 with the large ones,
gradients of kernels by 3e-6.
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.layers.interleave import interleaved
from imo_jax.layers.plain_conv import Padding

Line = list[jax.Array]
Grid = list[list[jax.Array]]


@dataclasses.dataclass(frozen=True, eq=False)
class Scheme:
    """F(m x m, 3 x 3): a square of m + 2 inputs a side becomes one of m outputs a side.

    The paper's matrices, with which A^T [(G g) * (B^T d)] is the convolution of d with g on a line.
    """

    of_inputs: np.ndarray  # B^T (m + 2, m + 2)
    of_kernel: np.ndarray  # G (m + 2, 3)
    to_outputs: np.ndarray  # A^T (m, m + 2)
    # Rows of G for the kernel back to front, where they are among G's own.
    turned: tuple[int, ...] | None = None

    @property
    def outputs(self) -> int:
        """m."""
        return len(self.to_outputs)

    @property
    def inputs(self) -> int:
        """m + 2."""
        return len(self.of_inputs)


SMALL = Scheme(
    of_inputs=np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]),
    of_kernel=np.array([[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]]),
    to_outputs=np.array([[1, 1, 1, 0], [0, 1, -1, -1]]),
    turned=(3, 1, 2, 0),
)
LARGE = Scheme(
    of_inputs=np.array([
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]),
    of_kernel=np.array([
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]),
    to_outputs=np.array([
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ]),
)  # fmt: skip

# Where it is faster: with fewer channels adding costs more than multiplying, and half a second of
# compiling has to be earned back. Products are positions x inputs x outputs.
MIN_CHANNELS = 64
MIN_PRODUCTS = 2**25
# Where the large squares are: they take three times as long to compile, what they stick out is computed for nothing, and
# with more channels (two cores) the products of the small ones take no longer.
MIN_LARGE_PRODUCTS = 2**26
MAX_WASTE = 1.2
MAX_CHANNELS = 128


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


def scheme_of(padding: Padding, shape: tuple[int, ...], channels: int) -> Scheme:
    """The faster squares for the outputs of a convolution of x of this shape (B, H, W, in) to so many channels."""
    outputs = [n + sum(zeros) - 2 for n, zeros in zip(shape[1:3], padding, strict=True)]
    computed = [n + -n % LARGE.outputs for n in outputs]
    pays = (
        math.prod(shape) * channels >= MIN_LARGE_PRODUCTS
        and math.prod(computed) <= MAX_WASTE * math.prod(outputs)
        and max(shape[-1], channels) <= MAX_CHANNELS
    )
    return LARGE if pays else SMALL


def winograd_conv(padding: Padding, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The convolution with stride 1.

    Args:
      padding: zeros (before, after) both axes, at most 2.
      x: (B, H, W, in) float32.
      kernel: (3, 3, in, out) float32.

    Returns:
      (B, H + zeros - 2, W + zeros - 2, out).
    """
    return convolved(scheme_of(padding, x.shape, kernel.shape[-1]), padding, x, kernel)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def convolved(scheme: Scheme, padding: Padding, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`winograd_conv` by the squares of a scheme."""
    return _filtered(scheme, padding, x, _filters(scheme, kernel), 0)


def _forward(scheme: Scheme, padding: Padding, x: jax.Array, kernel: jax.Array) -> tuple:
    return convolved(scheme, padding, x, kernel), (x, kernel)


def _backward(
    scheme: Scheme, padding: Padding, saved: tuple, g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    # The gradient of x is g convolved with the kernel turned round, from out to in. Where that changes the places of its
    # filters alone, XLA finds that they are those of the forward pass.
    if scheme.turned is None:
        filters = _filters(scheme, kernel[::-1, ::-1])
    else:
        own = _filters(scheme, kernel)
        filters = [[own[i][j] for j in scheme.turned] for i in scheme.turned]
    outside = tuple((2 - before, 2 - after) for before, after in padding)
    return _filtered(scheme, outside, g, filters, 1), _of_kernel(scheme, padding, x, g)


convolved.defvjp(_forward, _backward)


def _filtered(
    scheme: Scheme, padding: Padding, x: jax.Array, filters: Grid, axis: int
) -> jax.Array:
    """The convolution with `_filters` of a kernel, whose axis `axis` are the input channels."""
    height, width = (n + sum(zeros) - 2 for n, zeros in zip(x.shape[1:3], padding, strict=True))
    side = range(scheme.inputs)
    tiles = _tiles(scheme, padding, x)
    products = [[_product(tiles[i][j], filters[i][j], axis) for j in side] for i in side]
    outputs = _on_both_axes(scheme.to_outputs, products)
    return jax.lax.optimization_barrier(interleaved(outputs)[:, :height, :width])


def _product(tile: jax.Array, filter: jax.Array, axis: int) -> jax.Array:
    """(B, h, w, in) with (in, out), or (out, in) for axis 1, -> (B, h, w, out)."""
    # As matrices: XLA's gradient of a product over three axes transposes them first.
    rows = tile.reshape(-1, tile.shape[-1])
    product = jax.lax.dot_general(rows, filter, (((1,), (axis,)), ((), ())))
    return product.reshape(*tile.shape[:-1], -1)


def _of_kernel(scheme: Scheme, padding: Padding, x: jax.Array, g: jax.Array) -> jax.Array:
    """Gradient of the kernel, (3, 3, in, out): G^T (tiles of x times A g A^T) G.

    Written out, since XLA makes the transpose of sixteen slices a sum of sixteen padded arrays.
    """
    tiles, side, step = _tiles(scheme, padding, x), range(scheme.inputs), scheme.outputs
    g = jnp.pad(g, [(0, 0), *((0, -n % step) for n in g.shape[1:3]), (0, 0)])
    g = jax.lax.optimization_barrier(g)
    squares = [[g[:, i::step, j::step] for j in range(step)] for i in range(step)]
    spread = _on_both_axes(scheme.to_outputs.T, squares)
    products = [[_over_positions(tiles[i][j], spread[i][j]) for j in side] for i in side]
    taps = _on_both_axes(scheme.of_kernel.T, products)
    return jnp.stack([jnp.stack(row) for row in taps])


def _over_positions(tile: jax.Array, spread: jax.Array) -> jax.Array:
    """(B, h, w, in) with (B, h, w, out) -> (in, out)."""
    rows, of_rows = (x.reshape(-1, x.shape[-1]) for x in (tile, spread))
    return jax.lax.dot_general(rows, of_rows, (((0,), (0,)), ((), ())))


def _tiles(scheme: Scheme, padding: Padding, x: jax.Array) -> Grid:
    """B^T d B of the squares d of inputs, at every m-th position: arrays (B, h, w, in)."""
    step, side = scheme.outputs, range(scheme.inputs)
    # Zeros, and rows or columns of them more until the outputs are whole squares.
    zeros = [
        (before, after + (2 - n - before - after) % step)
        for n, (before, after) in zip(x.shape[1:3], padding, strict=True)
    ]
    # Barriers, here and for the long sums between the axes: else XLA computes what comes before once in each transform.
    x = jax.lax.optimization_barrier(jnp.pad(x, [(0, 0), *zeros, (0, 0)]))
    height, width = (n - 2 for n in x.shape[1:3])
    squares = [[x[:, i : i + height : step, j : j + width : step] for j in side] for i in side]
    return _on_both_axes(scheme.of_inputs, squares, apart=scheme is LARGE)


def _filters(scheme: Scheme, kernel: jax.Array) -> Grid:
    """G g G^T of the kernel g: arrays (in, out)."""
    both = jnp.asarray(np.kron(scheme.of_kernel, scheme.of_kernel), jnp.float32)
    # (3, 3, in, out) -> (rows, in * out): one product, not one kernel for each row to compile
    rows = both @ kernel.reshape(9, -1)
    filters = [row.reshape(kernel.shape[2:]) for row in rows]
    side = scheme.inputs
    return [filters[i : i + side] for i in range(0, side * side, side)]


def _on_both_axes(matrix: np.ndarray, squares: Grid, apart: bool = False) -> Grid:
    """M s M^T of a square s of arrays: (n, n) of them with M (m, n) -> (m, m); apart = one axis after the other."""
    columns = [_on_a_line(matrix, list(column)) for column in zip(*squares, strict=True)]
    if apart:
        columns = jax.lax.optimization_barrier(columns)
    return [_on_a_line(matrix, list(row)) for row in zip(*columns, strict=True)]


def _on_a_line(matrix: np.ndarray, line: Line) -> Line:
    """Sums of arrays with the coefficients of each row."""
    return [sum(_times(c, x) for c, x in zip(row, line, strict=True) if c) for row in matrix]


def _times(coefficient: float, x: jax.Array) -> jax.Array:
    if abs(coefficient) == 1:
        return x if coefficient > 0 else -x
    return np.float32(coefficient) * x

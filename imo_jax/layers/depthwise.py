"""Depthwise convolution that is fast on each platform.

XLA's grouped convolution is right for GPU and TPU and 20 to 60 times too slow on CPU. There the
result is a sum of shifted products (one fused loop, vectorised over channels), and so is the
gradient of the input. The kernel's gradient is one reduction over all pixels a tap, which XLA:CPU
does not vectorise; it is folded into few rows by elementwise sums first and finished by a matmul.
"""

import functools
import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers import initializers
from imo_jax.layers.plain_conv import Padding

FOLD = 8  # rows added elementwise before the matmul; measured best of 4 to 48
Size = tuple[int, int]


def depthwise_conv(
    x: jax.Array, kernel: jax.Array, stride: int = 1, padding: Padding | None = None
) -> jax.Array:
    """Depthwise convolution.

    Args:
      x: (B, H, W, C).
      kernel: (k, l, C), x's dtype.
      stride: step of the kernel along both axes.
      padding: zeros (before, after) rows and columns; None = k // 2 and l // 2 on both sides.

    Returns:
      (B, H', W', C), H' = (H + zeros - k) // stride + 1: the sum over (i, j) of kernel[i, j] times
      every stride-th pixel of the padded x, from (i, j) on.
    """
    return _depthwise(stride, padding or _centred(kernel), x, kernel)


def _centred(kernel: jax.Array) -> Padding:
    rows, columns = kernel.shape[0] // 2, kernel.shape[1] // 2
    return (rows, rows), (columns, columns)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _depthwise(stride: int, padding: Padding, x: jax.Array, kernel: jax.Array) -> jax.Array:
    where = {"stride": stride, "padding": padding}
    return jax.lax.platform_dependent(
        x,
        kernel,
        cpu=functools.partial(shifted_products, **where),
        default=functools.partial(grouped_conv, **where),
    )


def _forward(
    stride: int, padding: Padding, x: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _depthwise(stride, padding, x, kernel), (x, kernel)


def _backward(
    stride: int, padding: Padding, saved: tuple[jax.Array, jax.Array], g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    where = {"stride": stride, "padding": padding}
    return jax.lax.platform_dependent(
        *saved,
        g,
        cpu=functools.partial(shifted_gradients, **where),
        default=functools.partial(grouped_gradients, **where),
    )


_depthwise.defvjp(_forward, _backward)


def grouped_conv(
    x: jax.Array, kernel: jax.Array, stride: int = 1, padding: Padding | None = None
) -> jax.Array:
    """As a convolution with one group a channel."""
    return jax.lax.conv_general_dilated(
        x,
        kernel[:, :, None, :],
        window_strides=(stride, stride),
        padding=padding or _centred(kernel),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


def grouped_gradients(
    x: jax.Array,
    kernel: jax.Array,
    g: jax.Array,
    stride: int = 1,
    padding: Padding | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Gradients of `grouped_conv`."""
    form = functools.partial(grouped_conv, stride=stride, padding=padding)
    return jax.vjp(form, x, kernel)[1](g)


def shifted_products(
    x: jax.Array, kernel: jax.Array, stride: int = 1, padding: Padding | None = None
) -> jax.Array:
    """As a sum of k * l shifted products; accumulated in float32."""
    padded = _pad(x, padding or _centred(kernel))
    size = tuple((n - k) // stride + 1 for n, k in zip(padded.shape[1:3], kernel.shape))
    return _sum_of_products(padded, kernel, size, stride).astype(x.dtype)


def _sum_of_products(padded: jax.Array, kernel: jax.Array, size: Size, stride: int) -> jax.Array:
    """(B, *size, C) float32 from a padded (B, H, W, C) float32."""
    kernel = kernel.astype(jnp.float32)
    reach = [stride * (n - 1) + 1 for n in size]
    terms = [
        padded[:, i : i + reach[0] : stride, j : j + reach[1] : stride]
        * kernel[i, j][None, None, None]
        for i, j in itertools.product(*map(range, kernel.shape[:2]))
    ]
    total = functools.reduce(jax.lax.add, terms)
    # Changes no value (NaN stays NaN) but ends the sum for XLA:CPU, which otherwise gives its last
    # additions to a norm or matmul that follows and stores the other terms, several times slower.
    return jnp.where(total == total, total, jnp.nan)


def shifted_gradients(
    x: jax.Array,
    kernel: jax.Array,
    g: jax.Array,
    stride: int = 1,
    padding: Padding | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Gradients of `shifted_products`."""
    padding = padding or _centred(kernel)
    of_input = _input_gradient(x.shape[1:3], kernel, g, stride, padding)
    return of_input.astype(x.dtype), _kernel_gradient(x, kernel, g, stride, padding)


def _input_gradient(
    size: Size, kernel: jax.Array, g: jax.Array, stride: int, padding: Padding
) -> jax.Array:
    """(B, *size, C) float32: what each pixel gave to every output.

    Padded pixel s m + p is met by the taps s a + p, which give it to the outputs m - a: for each
    phase (p, q) a convolution of g with every s-th tap, flipped. The phases are then interleaved.
    """
    before = [pad for pad, _ in padding]
    first = [pad // stride for pad in before]
    counts = [-(-(pad + n) // stride) - m for pad, n, m in zip(before, size, first, strict=True)]
    phases = []
    for p, q in itertools.product(range(stride), repeat=2):
        taps = kernel[p::stride, q::stride][::-1, ::-1]
        margins = [
            (k - 1 - m, m + count - n, 0)
            for k, m, count, n in zip(taps.shape, first, counts, g.shape[1:3])
        ]
        around = _margins(g.astype(jnp.float32), margins)
        phases.append(_sum_of_products(around, taps, tuple(counts), 1))
    whole = phases[0]
    if stride > 1:
        # s*s x (B, m, n, C) -> (s, s, B, m, n, C) -> (B, m, s, n, s, C) -> (B, m*s, n*s, C)
        whole = jnp.stack(phases).reshape(stride, stride, *whole.shape)
        whole = whole.transpose(2, 3, 0, 4, 1, 5)
        whole = whole.reshape(g.shape[0], stride * counts[0], stride * counts[1], g.shape[-1])
    top, left = (pad % stride for pad in before)
    return whole[:, top : top + size[0], left : left + size[1]]


def _kernel_gradient(
    x: jax.Array, kernel: jax.Array, g: jax.Array, stride: int, padding: Padding
) -> jax.Array:
    """(k, l, C): for each tap the sum over B, H', W' of the pixels that it met times g."""
    columns = kernel.shape[1]
    batch, height, width, channels = g.shape
    padded = _pad(x, padding)
    g = g.astype(jnp.float32)
    fold = next(n for n in range(min(FOLD, height), 0, -1) if height % n == 0)
    rows = height // fold
    met = (batch, stride * (rows - 1) + 1, stride * (width - 1) + 1, channels)

    def of_tap(_, tap: jax.Array) -> tuple[None, jax.Array]:
        i, j = tap // columns, tap % columns
        folded = sum(
            jax.lax.dynamic_slice(padded, (0, i + n * rows * stride, j, 0), met)[
                :, ::stride, ::stride
            ]
            * g[:, n * rows : (n + 1) * rows]
            for n in range(fold)
        )
        # (B, rows, W, C) -> (B*rows*W, C);  (1, N) x (N, C) -> (C,)
        folded = folded.reshape(-1, channels)
        return None, (jnp.ones((1, folded.shape[0]), jnp.float32) @ folded)[0]

    _, taps = jax.lax.scan(of_tap, None, jnp.arange(kernel.shape[0] * columns))
    return taps.reshape(kernel.shape).astype(kernel.dtype)


def _pad(x: jax.Array, padding: Padding) -> jax.Array:
    return _margins(x.astype(jnp.float32), [(*pair, 0) for pair in padding])


def _margins(x: jax.Array, margins: list[tuple[int, int, int]]) -> jax.Array:
    """x with zeros around rows and columns; negative margins cut."""
    padded = jax.lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *margins, (0, 0, 0)])
    # The barrier keeps XLA from computing what x comes from (a norm, say) anew for every tap.
    return jax.lax.optimization_barrier(padded)


class DepthwiseConv(nn.Module):
    """Depthwise convolution; parameters `kernel` (k, l, C) and, by choice, `bias` (C,).

    Attributes:
      size: of the kernel, k = l; or (k, l).
      use_bias: whether there is a `bias`.
      stride, padding: see `depthwise_conv`.
      kernel_init, bias_init: defaults are PyTorch's (see layers/initializers.py).
      dtype: of the computation and the result; parameters are float32.
    """

    size: int | Size
    use_bias: bool
    stride: int = 1
    padding: Padding | None = None
    kernel_init: initializers.Initializer | None = None
    bias_init: initializers.Initializer | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        init = initializers.torch_bias(size[0] * size[1])  # each output sees k * l inputs
        shape = (*size, channels)
        kernel = self.param("kernel", self.kernel_init or init, shape, jnp.float32)
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        y = depthwise_conv(x, kernel, self.stride, self.padding)
        if self.use_bias:
            bias = self.param("bias", self.bias_init or init, (channels,), jnp.float32)
            y = y + bias.astype(self.dtype)[None, None, None]
        return y

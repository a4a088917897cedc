"""Max-pooling over two or three axes whose gradient is fast on each platform, and over channels.

XLA's gradient of max-pooling is a scatter that XLA:CPU runs as a plain loop, thirty times slower
than this: the winner of each window is found elementwise, and the gradient is a sum of slices.

Shapes below are those of two axes.
"""

import functools
import itertools

import jax
import jax.numpy as jnp


def max_pool(x: jax.Array, size: int = 3, stride: int = 2) -> jax.Array:
    """Largest value of each window, padded by size // 2 with what never wins.

    The gradient goes to the window's largest value, of equal ones to the first, as in PyTorch.

    Args:
      x: (B, H, W, C) or (B, D, H, W, C), floating.
      size: of the window along every axis, odd.
      stride: step of the window along every axis.

    Returns:
      (B, H', W', C) or (B, D', H', W', C), H' = (H - 1) // stride + 1.
    """
    return _max_pool(size, stride, x)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _max_pool(size: int, stride: int, x: jax.Array) -> jax.Array:
    return window_maxima(size, stride, x)


def _forward(size: int, stride: int, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    return window_maxima(size, stride, x), x


def _backward(size: int, stride: int, x: jax.Array, g: jax.Array) -> tuple[jax.Array]:
    of_input = jax.lax.platform_dependent(
        x,
        g,
        cpu=functools.partial(selected_gradient, size, stride),
        default=functools.partial(scattered_gradient, size, stride),
    )
    return (of_input,)


_max_pool.defvjp(_forward, _backward)


def window_maxima(size: int, stride: int, x: jax.Array) -> jax.Array:
    """By XLA's windowed reduction."""
    axes = x.ndim - 2
    return jax.lax.reduce_window(
        x,
        -jnp.inf,
        jax.lax.max,
        (1, *(size,) * axes, 1),
        (1, *(stride,) * axes, 1),
        ((0, 0), *((size // 2,) * 2,) * axes, (0, 0)),
    )


def scattered_gradient(size: int, stride: int, x: jax.Array, g: jax.Array) -> jax.Array:
    """Gradient of x by XLA's own rule, from the gradient g of the maxima."""
    return jax.vjp(functools.partial(window_maxima, size, stride), x)[1](g)[0]


def selected_gradient(size: int, stride: int, x: jax.Array, g: jax.Array) -> jax.Array:
    """The same, as a sum over the window's taps of g where the tap won.

    A position of x is met by every stride-th tap, so the positions of each phase (modulo the
    stride) are summed by themselves and put together at the end.
    """
    out, span = g.shape[1:-1], (size - 1) // stride
    margins = [(0, 0), *((span, span) for _ in out), (0, 0)]
    # The barriers keep XLA from finding the winner anew for every tap.
    winner = jnp.pad(winners(size, stride, x), margins, constant_values=-1)
    winner, g = jax.lax.optimization_barrier((winner, jnp.pad(g, margins)))
    sums = [jnp.zeros((), g.dtype)] * stride ** len(out)
    for number, tap in enumerate(itertools.product(range(size), repeat=len(out))):
        phase, start = _place(tap, stride)
        here = (slice(None), *(slice(span - i, 2 * span - i + n) for i, n in zip(start, out)))
        sums[phase] = sums[phase] + jnp.where(winner[here] == number, g[here], 0.0)
    whole = _merge(jnp.stack(sums), stride)
    before = size // 2
    return whole[:, *(slice(before, before + n) for n in x.shape[1:-1])]


def winners(size: int, stride: int, x: jax.Array) -> jax.Array:
    """(B, H', W', C) int32: the first tap of each window, in row-major order, with its maximum."""
    out = [(n - 1) // stride + 1 for n in x.shape[1:-1]]
    before = size // 2
    # Padded, or cut, to what the taps see in whole strides.
    margins = [
        (before, stride * ((size - 1) // stride + m) - n - before, 0)
        for m, n in zip(out, x.shape[1:-1], strict=True)
    ]
    x = jax.lax.pad(x, jnp.asarray(-jnp.inf, x.dtype), [(0, 0, 0), *margins, (0, 0, 0)])
    phases = _split(x, stride)
    places = (_place(tap, stride) for tap in itertools.product(range(size), repeat=len(out)))
    first, *others = (
        phases[phase][:, *(slice(i, i + n) for i, n in zip(start, out, strict=True))]
        for phase, start in places
    )
    largest, winner = first, jnp.zeros(first.shape, jnp.int32)
    for number, other in enumerate(others, start=1):
        winner = jnp.where(other > largest, number, winner)
        largest = jnp.maximum(largest, other)
    return winner


def _place(tap: tuple[int, ...], stride: int) -> tuple[int, tuple[int, ...]]:
    """The phase of the positions that a window's tap sees, and the first of them in that phase."""
    phase = 0
    for i in tap:
        phase = phase * stride + i % stride
    return phase, tuple(i // stride for i in tap)


def _split(x: jax.Array, stride: int) -> jax.Array:
    """(B, h * s, w * s, C) -> (s * s, B, h, w, C), the last axis's phase running fastest."""
    axes = x.ndim - 2
    # (B, h*s, w*s, C) -> (B, h, s, w, s, C) -> (s, s, B, h, w, C) -> (s*s, B, h, w, C)
    pairs = itertools.chain(*((n // stride, stride) for n in x.shape[1:-1]))
    x = x.reshape(x.shape[0], *pairs, x.shape[-1])
    x = x.transpose(*range(2, 2 * axes + 1, 2), 0, *range(1, 2 * axes, 2), 2 * axes + 1)
    return x.reshape(stride**axes, *x.shape[axes:])


def _merge(phases: jax.Array, stride: int) -> jax.Array:
    """(s * s, B, h, w, C) -> (B, h * s, w * s, C), the inverse of `_split`."""
    axes = phases.ndim - 3
    batch, *sizes, channels = phases.shape[1:]
    # (s*s, B, h, w, C) -> (s, s, B, h, w, C) -> (B, h, s, w, s, C) -> (B, h*s, w*s, C)
    x = phases.reshape(*(stride,) * axes, batch, *sizes, channels)
    pairs = itertools.chain(*((axes + 1 + i, i) for i in range(axes)))
    x = x.transpose(axes, *pairs, 2 * axes + 1)
    return x.reshape(batch, *(stride * n for n in sizes), channels)


def channel_max(x: jax.Array) -> jax.Array:
    """Largest channel at each position, (..., C) -> (..., 1).

    The gradient goes to it, of equal ones to the first, as in PyTorch. JAX's own looks for the
    channels that equal the maximum: where XLA computes x a second time and rounds it differently, it
    finds none, and divides by their number.
    """
    return _channel_max(x.shape[-1], x)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _channel_max(channels: int, x: jax.Array) -> jax.Array:
    return jnp.max(x, axis=-1, keepdims=True)


def _channel_forward(channels: int, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    return _channel_max(channels, x), jnp.argmax(x, axis=-1)


def _channel_backward(channels: int, winner: jax.Array, g: jax.Array) -> tuple[jax.Array]:
    return (g * jax.nn.one_hot(winner, channels, dtype=g.dtype),)


_channel_max.defvjp(_channel_forward, _channel_backward)

"""Max-pooling by hand, and its gradient for the CPU against XLA's."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.layers import pooling
from imo_jax.layers.pooling import channel_max, max_pool


def line(*values):
    return jnp.asarray(values, jnp.float32).reshape(1, 1, -1, 1)


@pytest.mark.parametrize(
    ("size", "stride", "expected"),
    [
        (3, 2, [-1, 4, 3, 0]),  # windows (pad, -2, -1), (-1, 4, 3), (3, 2, -5), (-5, 0, pad)
        (3, 1, [-1, 4, 4, 4, 3, 2, 0]),
        (5, 3, [4, 4, 2]),
        (1, 2, [-2, 4, 2, 0]),
    ],
)
def test_windows(size, stride, expected):
    values = (-2, -1, 4, 3, 2, -5, 0)
    assert max_pool(line(*values), size, stride).ravel().tolist() == expected


def test_the_gradient_goes_to_the_first_of_equals():
    x, g = line(1, 7, 7, 2, 2), jnp.array([1.0, 10.0, 100.0]).reshape(1, 1, 3, 1)
    # Windows (pad, 1, 7), (7, 7, 2), (2, 2, pad).
    _, pullback = jax.vjp(max_pool, x)
    assert pullback(g)[0].ravel().tolist() == [0, 11, 0, 100, 0]


@pytest.mark.parametrize(
    ("shape", "size", "stride"),
    [((9, 8), 3, 2), ((8, 9), 5, 3), ((6, 5), 3, 1), ((5, 6, 7), 3, 2)],
    ids=str,
)
def test_the_selected_gradient_equals_the_scattered_one(shape, size, stride):
    rng = np.random.default_rng(0)
    # Few values, so that there are ties.
    x = jnp.asarray(rng.integers(-2, 3, (2, *shape, 3)), jnp.float32)
    out = jax.eval_shape(functools.partial(max_pool, size=size, stride=stride), x).shape
    g = jnp.asarray(rng.normal(size=out), jnp.float32)
    ours = jax.jit(functools.partial(pooling.selected_gradient, size, stride))(x, g)
    xla = jax.jit(functools.partial(pooling.scattered_gradient, size, stride))(x, g)
    np.testing.assert_allclose(ours, xla, atol=1e-5)


def test_the_gradient_of_the_largest_channel_goes_to_the_first_of_them():
    x = jnp.array([[1.0, 3.0, 2.0], [5.0, 4.0, 5.0], [0.0, 0.0, 0.0]])
    y, pullback = jax.vjp(channel_max, x)
    assert y.tolist() == [[3], [5], [0]]
    (gradient,) = pullback(jnp.array([[1.0], [10.0], [100.0]]))
    assert gradient.tolist() == [[0, 1, 0], [10, 0, 0], [100, 0, 0]]
    assert channel_max(x.astype(jnp.bfloat16)).dtype == jnp.bfloat16


def test_the_gradient_of_the_largest_channel_compares_no_values():
    """Values computed twice, and rounded differently, would equal no maximum."""
    program = jax.make_jaxpr(jax.grad(lambda x: jnp.sum(channel_max(x))))(jnp.ones((2, 3)))
    compared = [e.invars[0].aval.dtype for e in program.eqns if e.primitive.name == "eq"]
    assert not any(jnp.issubdtype(dtype, jnp.floating) for dtype in compared)

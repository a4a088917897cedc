"""Functions as plain primitives: the same numbers, and nothing that a converter stumbles over."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.export.flattened import flattened
from imo_jax.layers.mix_rows import mix_gathered, mix_rows

X = jax.ShapeDtypeStruct((4, 6), jnp.float32)


def primitives(function, *inputs):
    return {equation.primitive.name for equation in jax.make_jaxpr(function)(*inputs).jaxpr.eqns}


def same(function, *arrays):
    flat = flattened(function, *(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in arrays))
    for found, expected in zip(flat(*arrays), jax.tree.leaves(function(*arrays)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    return primitives(flat, *arrays)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)


@pytest.mark.parametrize("reverse", [False, True])
def test_loops_are_unrolled(x, reverse):
    def step(carry, row):
        return carry * 0.5 + row, (carry, carry.sum())

    def looped(x):
        return jax.lax.scan(step, x[0], x, reverse=reverse)

    assert not {"scan", "stack"} & same(looped, x)


def test_calls_and_derivative_rules_become_what_they_compute(x):
    assert same(lambda x: jax.nn.silu(jax.jit(jnp.sin)(jax.nn.relu(x))), x) <= {
        "sin", "max", "mul", "logistic", "broadcast_in_dim",
    }  # fmt: skip


def test_the_form_for_other_platforms_than_cpu_is_chosen(x):
    index = np.array([[0, 1], [2, 3], [3, 3]], np.int32)
    weight = np.ones((3, 2), np.float32)
    found = same(mix_rows, x, index, weight)
    assert not found & {"cond", "platform_index", "scan"}
    assert found == primitives(mix_gathered, x, index, weight)


@pytest.mark.parametrize("widths", [((1, 2), (0, 3)), ((0, 0), (2, 0)), ((-1, 1), (1, -2))])
def test_padding_is_concatenation(x, widths):
    def padded(x):
        return jax.lax.pad(x, np.float32(2), [(*w, 0) for w in widths])

    assert "pad" not in same(padded, x)


def test_what_nothing_depends_on_is_left_out(x):
    def function(x):
        unused = jnp.cumsum(jnp.exp(jax.jit(lambda y: (y + 1, y * 2))(x)[1]))
        del unused
        return jnp.sin(x)

    assert same(function, x) == {"sin"}


def test_stacking_is_concatenation(x):
    assert "stack" not in same(lambda x: jnp.stack([x, x + 1], axis=1), x)


def test_padding_between_is_refused(x):
    with pytest.raises(ValueError, match="between"):
        flattened(lambda x: jax.lax.pad(x, np.float32(0), [(0, 0, 1), (0, 0, 0)]), X)


def test_remainders_of_both_signs():
    whole = np.arange(-20, 20, dtype=np.int32)
    assert "rem" not in same(lambda x: x % 8, whole)
    assert "rem" not in same(lambda x: jax.lax.rem(x, np.float32(0.75)), whole.astype(np.float32))


def test_random_numbers_of_a_fixed_key_are_constants_and_what_is_repeated_is_not(x):
    def function(x):
        noise = jax.random.normal(jax.random.key(3), (4, 1))
        return x + noise + jnp.broadcast_to(jnp.sqrt(jnp.arange(6.0))[None], (4, 6))

    assert same(function, x) == {"add", "broadcast_in_dim"}
    flat = jax.make_jaxpr(flattened(function, X))(x)
    assert max(np.size(c) for c in flat.consts) == 6  # not 24

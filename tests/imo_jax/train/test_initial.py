"""Variables drawn at once are those that each array would have drawn by itself."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.models.imo import IMO, SIZES
from imo_jax.train import initial as module
from imo_jax.train.initial import ROW, draw


def one_by_one(initial, seed):
    return jax.device_get(jax.jit(initial)(jax.random.key(seed)))


@pytest.mark.parametrize("seed", (0, 7, 2**31 - 1))
@pytest.mark.parametrize(
    "sample",
    (
        jax.random.bits,
        jax.random.uniform,
        jax.random.normal,
        functools.partial(jax.random.truncated_normal, lower=-2.0, upper=2.0),
    ),
    ids=("bits", "uniform", "normal", "truncated"),
)
@pytest.mark.parametrize("shape", ((), (3,), (ROW,), (ROW + 1,), (5, 7, 101), (0, 4)))
def test_an_array_is_what_its_key_draws(sample, shape, seed):
    def initial(key):
        return {"a": sample(jax.random.fold_in(key, 5), shape=shape)}

    chex.assert_trees_all_equal(draw(initial, seed), one_by_one(initial, seed))


def test_arrays_in_order_beside_constants_and_what_is_not_drawn():
    def initial(key):
        first, second = jax.random.fold_in(key, 1), jax.random.fold_in(key, 2)
        late = jax.random.normal(second, (ROW, 3))
        unused = jax.random.normal(jax.random.fold_in(key, 3), (9,))
        return {
            "b": late,
            "a": 2.0 * jax.random.normal(first, (2000,)),
            "again": late[0],
            "same": jax.random.normal(second, (ROW, 3)),
            "ones": jnp.ones(4, jnp.int32),
            "host": np.arange(3.0, dtype=np.float32),
            "unused": jnp.zeros_like(unused),
        }

    found = draw(initial, 3)
    chex.assert_trees_all_equal(found, one_by_one(initial, 3))
    np.testing.assert_array_equal(found["b"], found["same"])


def test_keys_that_are_not_known_before_the_program_runs_draw_by_themselves():
    def initial(key):
        keys = jax.random.split(jax.random.fold_in(key, 1), 3)
        return {
            "batched": jax.vmap(lambda k: jax.random.normal(k, (5,)))(keys),
            "split": jax.random.uniform(keys[0], (5,)),
            "loop": jax.lax.map(lambda k: jax.random.normal(jax.random.fold_in(k, 2), (5,)), keys),
            "half": jax.random.bits(jax.random.fold_in(key, 4), (5,), jnp.uint16),
        }

    chex.assert_trees_all_close(draw(initial, 3), one_by_one(initial, 3), rtol=1e-6)


def test_a_function_that_draws_nothing():
    chex.assert_trees_all_equal(draw(lambda key: {"a": jnp.ones(3)}, 0), {"a": np.ones(3, "f")})


def test_parameters_of_imo_are_those_of_flax_and_all_drawn_at_once(monkeypatch):
    config = SIZES["tiny"]
    requests = []

    def initial(key):
        volume = jnp.zeros((1, 8, 8, config.oct_slices))
        return IMO(config).init(key, jnp.zeros((1, 32, 32, 3)), volume)

    def draw_rows(given, original=module._draw_rows):
        requests.extend(given)
        return original(given)

    monkeypatch.setattr(module, "_draw_rows", draw_rows)
    found = draw(initial, 1)
    assert all(isinstance(x, np.ndarray) for x in jax.tree.leaves(found))
    chex.assert_trees_all_close(found, one_by_one(initial, 1), rtol=1e-6, atol=1e-9)
    other = one_by_one(initial, 2)
    drawn = jax.tree.map(lambda a, b: not np.array_equal(a, b), found, other)
    assert len(requests) == sum(jax.tree.leaves(drawn)) > 50

"""Keys follow the global example index."""

import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.train import keys

KEY = jax.random.key(3)


def data(typed):
    return np.asarray(jax.random.key_data(typed))


def index(*values):
    return np.array(values, np.uint32)


def test_a_key_does_not_depend_on_its_neighbours():
    together = keys.example_keys(KEY, jnp.int32(5), index(4, 5, 6, 7))
    alone = keys.example_keys(KEY, jnp.int32(5), index(6))
    np.testing.assert_array_equal(data(together)[2:3], data(alone))


def test_everything_that_should_change_a_key_does():
    base = keys.example_keys(KEY, jnp.int32(5), index(4, 5))
    others = [
        keys.example_keys(KEY, jnp.int32(6), index(4, 5)),
        keys.example_keys(jax.random.key(4), jnp.int32(5), index(4, 5)),
        keys.named(base, "time"),
        keys.named(base, "noise"),
    ]
    rows = np.concatenate([data(base), *(data(other) for other in others)])
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_index_may_use_all_32_bits():
    far = keys.example_keys(KEY, jnp.int32(0), index(2**32 - 1, 2**31))
    assert len(np.unique(data(far), axis=0)) == 2

"""Second stem for the OCT: starts as nothing, sees what is there and only that."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.layers.antialias import resize_smoothly
from imo_jax.layers.oct_stem import OctStem

STEM = OctStem(3, hidden=4)


@pytest.fixture(scope="module")
def volume():
    return jax.random.uniform(jax.random.key(0), (4, 5, 6, 2))


@pytest.fixture(scope="module")
def variables(volume):
    return jax.jit(functools.partial(STEM.init, train=False))(jax.random.key(1), volume, None)


@pytest.fixture(scope="module")
def trained(variables):
    """As after some steps: the last layer is no longer zero."""
    return jax.tree.map(lambda a: a + 0.3, variables)


@functools.cache
def program(train):
    return jax.jit(functools.partial(STEM.apply, train=train, mutable=["batch_stats"]))


def test_it_starts_as_nothing(variables, volume):
    out, _ = program(True)(variables, volume, None)
    np.testing.assert_array_equal(out, np.zeros((4, 5, 6, 3)))


@pytest.mark.parametrize("train", [False, True])
def test_a_missing_volume_gives_nothing_and_is_not_seen(trained, volume, train):
    there = jnp.array([True, False, True, False])
    out, moved = program(train)(trained, volume, there)
    np.testing.assert_array_equal(out[~there], 0)
    assert jnp.abs(out[there]).min() > 0
    other = jnp.where(there[:, None, None, None], volume, jnp.nan)
    again, moved_again = program(train)(trained, other, there)
    np.testing.assert_array_equal(out, again)
    jax.tree.map(np.testing.assert_array_equal, moved, moved_again)


def test_all_are_there_where_nothing_is_said(trained, volume):
    out, _ = program(True)(trained, volume, None)
    same, _ = program(True)(trained, volume, jnp.ones(4, bool))
    np.testing.assert_allclose(out, same, atol=1e-6)


def test_smooth_resizing_averages_where_it_shrinks():
    stripes = jnp.broadcast_to(jnp.array([0.0, 1.0] * 8)[None, None, :, None], (1, 4, 16, 1))
    small = resize_smoothly(stripes, (4, 4))
    np.testing.assert_allclose(small[..., 1:-1, :], 0.5, atol=1e-6)
    assert resize_smoothly(stripes, (4, 16)) is stripes
    grown = resize_smoothly(jnp.array([0.0, 1.0])[None, None, :, None], (1, 4))
    np.testing.assert_allclose(grown.ravel(), [0, 0.25, 0.75, 1], atol=1e-6)

"""Dropout and drop-path follow the example."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.layers.stochastic import Dropout, DropPath, layer_keys

KEYS = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(0), i))(jnp.arange(64))
X = jnp.ones((64, 5, 3))


@pytest.mark.parametrize("layer", [Dropout(0.4), DropPath(0.4)])
def test_masks_follow_the_example_through_any_order(layer):
    order = np.random.default_rng(0).permutation(64)
    out = layer.apply({}, X, KEYS)
    np.testing.assert_array_equal(layer.apply({}, X[order], KEYS[order]), out[order])
    np.testing.assert_array_equal(layer.apply({}, X[:3], KEYS[:3]), out[:3])


def test_dropout_drops_values_and_keeps_the_mean():
    out = Dropout(0.25).apply({}, X, KEYS)
    np.testing.assert_allclose(np.unique(out), [0, 1 / 0.75], rtol=1e-6)
    assert 0.2 < float(jnp.mean(out == 0)) < 0.3


def test_drop_path_drops_whole_examples():
    out = DropPath(0.25).apply({}, X, KEYS)
    per_example = out.reshape(64, -1)
    assert bool((per_example == per_example[:, :1]).all())
    assert 0.1 < float(jnp.mean(per_example[:, 0] == 0)) < 0.4


@pytest.mark.parametrize("layer", [Dropout, DropPath])
def test_no_keys_or_no_rate_is_the_identity(layer):
    np.testing.assert_array_equal(layer(0.5).apply({}, X, None), X)
    np.testing.assert_array_equal(layer(0.0).apply({}, X, KEYS), X)


def test_layers_differ_by_their_path():
    class Two(nn.Module):
        @nn.compact
        def __call__(self, x, keys):
            return Dropout(0.5, name="a")(x, keys), Dropout(0.5, name="b")(x, keys)

    a, b = Two().apply({}, X, KEYS)
    assert bool((a != b).any())
    first, second = (jax.random.key_data(layer_keys(KEYS, path)) for path in (("a",), ("b",)))
    assert bool((first != second).any())

"""Squeeze-and-excitation and the depthwise-separable block."""

import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.layers.separable import SeparableBlock
from imo_jax.layers.squeeze_excite import SqueezeExcite

X = jax.random.normal(jax.random.key(0), (2, 4, 4, 6))


def test_squeeze_excite_by_hand():
    layer = SqueezeExcite(reduction=3)
    variables = layer.init(jax.random.key(1), X)
    p = jax.tree.map(np.asarray, variables["params"])
    assert p["squeeze"]["kernel"].shape == (6, 2)
    pooled = np.asarray(X).mean((1, 2))
    hidden = np.maximum(pooled @ p["squeeze"]["kernel"] + p["squeeze"]["bias"], 0)
    gate = 1 / (1 + np.exp(-(hidden @ p["excite"]["kernel"] + p["excite"]["bias"])))
    np.testing.assert_allclose(layer.apply(variables, X), X * gate[:, None, None], atol=1e-5)


def test_separable_block_is_not_negative_and_has_no_biases_before_the_norm():
    layer = SeparableBlock(5)
    variables = layer.init(jax.random.key(1), X, train=False)
    assert set(variables["params"]["depthwise"]) == {"kernel"}
    assert set(variables["params"]["pointwise"]) == {"kernel"}
    out = layer.apply(variables, X, train=False)
    assert out.shape == (2, 4, 4, 5)
    assert float(out.min()) == 0


def test_separable_block_normalises_over_the_counted_examples():
    layer = SeparableBlock(5)
    variables = layer.init(jax.random.key(1), X, train=False)
    masks = (jnp.array([True, True]), jnp.array([True, False]))
    means = [
        layer.apply(variables, X, train=True, mask=m, mutable=["batch_stats"])[1]["batch_stats"]
        for m in masks
    ]
    assert bool((means[0]["norm"]["mean"] != means[1]["norm"]["mean"]).any())

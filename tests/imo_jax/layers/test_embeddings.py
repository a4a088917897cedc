"""Time embedding and positional encoding by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.layers.positions import axis_encoding
from imo_jax.layers.time_embedding import TimeEmbedding


def test_axis_encoding_by_hand():
    encoding = axis_encoding(4, 4)
    centres = (np.arange(4) + 0.5) / 4 * 2 * np.pi
    # Pair 0 has period 10000^0, pair 1 has 10000^(2/4) = 100.
    expected = np.stack(
        [np.sin(centres), np.cos(centres), np.sin(centres / 100), np.cos(centres / 100)], axis=1
    )
    np.testing.assert_allclose(encoding, expected, atol=1e-5)


def test_time_features_by_hand():
    layer = TimeEmbedding(frequencies=2, features=5)
    w = jnp.array([0.25, 0.5])
    eye = {"kernel": jnp.eye(5), "bias": jnp.zeros(5)}
    out = layer.apply({"params": {"frequencies": w, "hidden": eye, "out": eye}}, jnp.array([1.0]))
    # sin and cos of 2 pi l w = pi/2 and pi
    expected = jax.nn.gelu(jnp.array([1.0, 1.0, 0.0, 0.0, -1.0]), approximate=False)
    np.testing.assert_allclose(out[0], expected, atol=1e-6)


def test_frequencies_are_standard_normal():
    layer = TimeEmbedding(frequencies=2000, features=1)
    w = layer.init(jax.random.key(0), jnp.zeros(1))["params"]["frequencies"]
    assert abs(float(w.std()) - 1) < 0.05

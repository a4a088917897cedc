"""Embedding of the noise level: learned Fourier features of the log-SNR and a two-layer MLP."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers.activations import gelu
from imo_jax.layers.linear import Linear


class TimeEmbedding(nn.Module):
    """[l, sin(2 pi l w), cos(2 pi l w)] -> Linear, GELU, Linear; l = log-SNR, not time.

    Attributes:
      frequencies: number of learned w, drawn from N(0, 1).
      features: width of both linear layers.
    """

    frequencies: int
    features: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, log_snr: jax.Array) -> jax.Array:
        """log_snr: (N,) float32 -> (N, features)."""
        w = self.param("frequencies", nn.initializers.normal(1.0), (self.frequencies,), jnp.float32)
        angles = 2 * jnp.pi * log_snr[:, None] * w[None, :]
        features = jnp.concatenate([log_snr[:, None], jnp.sin(angles), jnp.cos(angles)], axis=-1)
        hidden = Linear(self.features, dtype=self.dtype, name="hidden")(features)
        hidden = gelu(hidden)
        return Linear(self.features, dtype=self.dtype, name="out")(hidden)

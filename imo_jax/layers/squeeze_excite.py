"""Squeeze-and-excitation (Hu et al. 2018)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers.linear import Linear


class SqueezeExcite(nn.Module):
    """Scales each channel by sigmoid(W2 relu(W1 mean)); hidden width C // reduction."""

    reduction: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        pooled = jnp.mean(x.astype(jnp.float32), axis=(1, 2))
        hidden = nn.relu(
            Linear(channels // self.reduction, dtype=self.dtype, name="squeeze")(pooled)
        )
        gate = nn.sigmoid(Linear(channels, dtype=self.dtype, name="excite")(hidden))
        return x * gate[:, None, None, :]

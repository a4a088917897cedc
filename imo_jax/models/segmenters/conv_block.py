"""Convolution, batch norm, ReLU: what most heads are made of."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers import initializers
from imo_jax.layers.convolution import Conv
from imo_jax.layers.norms import BatchNorm


class ConvBlock(nn.Module):
    """k x k convolution without bias, BN, ReLU: (B, H, W, C) -> (B, H, W, features)."""

    features: int
    size: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, axis_name: str | None = None) -> jax.Array:
        """train, axis_name: see `norms.BatchNorm`."""
        x = Conv(
            self.features, self.size, kernel_init=initializers.he_fan_out, dtype=self.dtype,
            name="conv",
        )(x)  # fmt: skip
        norm = BatchNorm(dtype=self.dtype, name="norm")
        return nn.relu(norm(x, train=train, axis_name=axis_name))

"""Convolution, group norm, ReLU: a block whose result does not depend on the batch."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers import initializers
from imo_jax.layers.convolution import Conv
from imo_jax.layers.norms import GroupNorm


class NormedConv(nn.Module):
    """3x3 (no bias), group norm, ReLU: (B, h, w, C) -> (B, h, w, features)."""

    features: int
    groups: int
    stride: int = 1
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        conv = Conv(
            self.features, 3, self.stride, kernel_init=initializers.he_fan_out, dtype=self.dtype,
            name="conv",
        )  # fmt: skip
        return nn.relu(GroupNorm(self.groups, self.dtype, name="norm")(conv(x)))

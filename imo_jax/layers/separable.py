"""Depthwise-separable convolution block: 3x3 depthwise, 1x1, batch normalisation, ReLU."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers.depthwise import DepthwiseConv
from imo_jax.layers.linear import Linear
from imo_jax.layers.norms import BatchNorm


class SeparableBlock(nn.Module):
    """DW 3x3 (no bias), 1x1 (no bias), BN, ReLU: (B, H, W, C) -> (B, H, W, features)."""

    features: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        *,
        train: bool,
        mask: jax.Array | None = None,
        axis_name: str | None = None,
    ) -> jax.Array:
        """train, mask, axis_name: see `norms.BatchNorm`."""
        x = DepthwiseConv(3, use_bias=False, dtype=self.dtype, name="depthwise")(x)
        x = Linear(self.features, use_bias=False, dtype=self.dtype, name="pointwise")(x)
        norm = BatchNorm(dtype=self.dtype, name="norm")
        return nn.relu(norm(x, train=train, mask=mask, axis_name=axis_name))

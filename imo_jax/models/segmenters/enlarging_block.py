"""What a U-Net's decoder does to double a map: enlarge it, set it beside the skip, convolve."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers import initializers
from imo_jax.layers.enlarged_conv import EnlargedConv
from imo_jax.layers.norms import BatchNorm


class EnlargingBlock(nn.Module):
    """3x3 convolution without bias, BN, ReLU of the enlarged map and the skip."""

    features: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        skip: jax.Array | None,
        *,
        size: tuple[int, int],
        train: bool,
        axis_name: str | None = None,
    ) -> jax.Array:
        """(B, h, w, C), (B, *size, D) or None -> (B, *size, features); train, axis_name: see `norms.BatchNorm`."""
        conv = EnlargedConv(
            self.features, kernel_init=initializers.he_fan_out, dtype=self.dtype, name="conv"
        )
        norm = BatchNorm(dtype=self.dtype, name="norm")
        return nn.relu(norm(conv(x, skip, size), train=train, axis_name=axis_name))

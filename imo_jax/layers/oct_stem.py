"""Second stem of a fundus network: features of an OCT volume to add to those of its own stem."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers.linear import Linear
from imo_jax.layers.separable import SeparableBlock


class OctStem(nn.Module):
    """Slices as channels, one separable block, one linear layer that starts at zero.

    So a network begins as it would without OCT, whatever weights it begins from.

    Attributes:
      features: channels of the stem that the result is added to.
      hidden: channels of the separable block.
      dtype: of the computation.
    """

    features: int
    hidden: int = 64
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self,
        volume: jax.Array,
        has_oct: jax.Array | None,
        *,
        train: bool,
        axis_name: str | None = None,
    ) -> jax.Array:
        """Features of a volume; exactly zero where it is missing.

        Args:
          volume: (B, h, w, D) float32 in 0..1.
          has_oct: (B,) bool, None = all; the others neither give features nor enter statistics.
          train: batch norms use and move batch statistics.
          axis_name: devices over which batch statistics are synchronised.

        Returns:
          (B, h, w, features) in dtype.
        """
        if has_oct is None:
            has_oct = jnp.ones(volume.shape[:1], bool)
        there = has_oct[:, None, None, None]
        # where, not a product: what stands in for a missing volume may be anything.
        x = jnp.where(there, volume, 0.0).astype(self.dtype)
        block = SeparableBlock(self.hidden, self.dtype, name="block")
        x = block(x, train=train, mask=has_oct, axis_name=axis_name)
        x = Linear(
            self.features, use_bias=False, kernel_init=nn.initializers.zeros, dtype=self.dtype,
            name="out",
        )(x)  # fmt: skip
        return jnp.where(there, x, jnp.zeros_like(x))

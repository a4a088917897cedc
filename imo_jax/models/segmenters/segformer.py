"""SegFormer (Xie et al. 2021): a Mix Transformer and a decoder of linear layers."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers import initializers
from imo_jax.layers.linear import Linear, linear
from imo_jax.layers.norms import BatchNorm
from imo_jax.layers.resize import bilinear
from imo_jax.layers.stochastic import Dropout
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.models.segmenters.encoding import encode, from_stride


class SegFormer(nn.Module):
    """Encoder; every map projected, upsampled, concatenated; 1x1, BN, ReLU, dropout, 1x1."""

    config: SegmenterConfig

    @nn.compact
    def __call__(
        self,
        fundus: jax.Array,
        oct_volume: jax.Array | None = None,
        has_oct: jax.Array | None = None,
        *,
        train: bool,
        example_keys: jax.Array | None = None,
        axis_name: str | None = None,
    ) -> dict[str, jax.Array]:
        """Class logits at stride 4; arguments and results as `networks.NETWORKS` says."""
        c, s = self.config, self.config.sizes
        mode = {"train": train, "axis_name": axis_name}
        maps = encode(c, fundus, oct_volume, has_oct, example_keys=example_keys, **mode)
        x = MergeProjected(s.features, c.compute_dtype, name="head")(from_stride(maps, 4))
        norm = BatchNorm(dtype=c.compute_dtype, name="head_norm")
        x = Dropout(s.dropout, name="dropout")(nn.relu(norm(x, **mode)), example_keys)
        return {"logits": Linear(c.num_classes, name="classifier")(x.astype(jnp.float32))}


class MergeProjected(nn.Module):
    """Levels projected, upsampled to the finest and concatenated, coarsest first; 1x1 (no bias).

    The 1x1 convolution is split by level and taken before the upsampling, as in fpn.MergeLevels.
    """

    features: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, levels: list[jax.Array]) -> jax.Array:
        """levels: maps (B, h_i, w_i, C_i), fine to coarse -> (B, h_0, w_0, features)."""
        n = self.features
        shape = (len(levels) * n, n)
        kernel = self.param("kernel", initializers.he_fan_out, shape, jnp.float32)
        merged = 0
        for place, i in enumerate(reversed(range(len(levels)))):
            x = Linear(n, dtype=self.dtype, name=f"project{i}")(levels[i])
            x = linear(x, kernel[place * n : (place + 1) * n], None, self.dtype)
            merged = merged + bilinear(x, levels[0].shape[1:3])
        return merged

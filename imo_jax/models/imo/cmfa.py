"""Cross-modal feature alignment: how the OCT feature joins the fundus feature (paper, CMFA)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers.convolution import Conv
from imo_jax.layers.linear import Linear
from imo_jax.layers.pooling import channel_max
from imo_jax.models.imo.config import IMOConfig


class ChannelAttention(nn.Module):
    """sigmoid(W2 relu(W1 mean)), no biases: (B, H, W, C) -> weights (B, C) float32."""

    reduction: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        pooled = jnp.mean(x.astype(jnp.float32), axis=(1, 2))
        squeeze = Linear(
            channels // self.reduction, use_bias=False, dtype=self.dtype, name="squeeze"
        )
        excite = Linear(channels, use_bias=False, dtype=self.dtype, name="excite")
        return nn.sigmoid(excite(nn.relu(squeeze(pooled))))


class SpatialAttention(nn.Module):
    """sigmoid(conv7x7 [channel mean, channel max]): (B, H, W, C) -> weights (B, H, W, 1)."""

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        mean = jnp.mean(x.astype(jnp.float32), axis=-1, keepdims=True)
        peak = channel_max(x)
        maps = jnp.concatenate([mean.astype(self.dtype), peak.astype(self.dtype)], axis=-1)
        return nn.sigmoid(Conv(1, 7, dtype=self.dtype, name="conv")(maps))


class CMFA(nn.Module):
    """Channel attention of each modality, addition, spatial attention, 1x1, ReLU.

    The ablation cmfa="concat" replaces both attentions and the addition by a concatenation; the
    1x1 and the ReLU stay, so that only the alignment differs. Without an OCT (None) its addend
    is left out, which is what a feature of zeros gives.
    """

    config: IMOConfig

    @nn.compact
    def __call__(self, fundus: jax.Array, oct_feature: jax.Array | None) -> jax.Array:
        """fundus, oct_feature: (B, h, w, C) -> (B, h, w, C)."""
        c = self.config
        if c.cmfa == "concat":
            other = jnp.zeros_like(fundus) if oct_feature is None else oct_feature
            x = jnp.concatenate([fundus, other], axis=-1)
        else:
            x = self._attend(fundus, oct_feature)
        fuse = Linear(c.feature_dim, use_bias=False, dtype=c.compute_dtype, name="fusion")
        return nn.relu(fuse(x))

    def _attend(self, fundus: jax.Array, oct_feature: jax.Array | None) -> jax.Array:
        c = self.config

        def channel_attention(name: str) -> ChannelAttention:
            return ChannelAttention(c.channel_attention_reduction, c.compute_dtype, name=name)

        of_fundus = channel_attention("channel")
        x = fundus * of_fundus(fundus)[:, None, None, :]
        if oct_feature is not None:
            of_oct = of_fundus if c.shared_channel_attention else channel_attention("channel_oct")
            x = x + oct_feature * of_oct(oct_feature)[:, None, None, :]
        return x * SpatialAttention(c.compute_dtype, name="spatial")(x)

"""Auxiliary segmentation head for deep supervision (the FCN head of the released code)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers.convolution import Conv
from imo_jax.layers.norms import BatchNorm
from imo_jax.layers.stochastic import Dropout
from imo_jax.models.imo.config import IMOConfig
from imo_jax.models.imo.decoder import SegmentationHead

DROPOUT = 0.1


class AuxiliaryHead(nn.Module):
    """3x3 (no bias), BN, ReLU, dropout 0.1, segmentation head: (B, h, w, C) -> logits float32."""

    config: IMOConfig

    @nn.compact
    def __call__(
        self,
        feature: jax.Array,
        *,
        train: bool,
        example_keys: jax.Array | None,
        axis_name: str | None,
    ) -> jax.Array:
        c = self.config
        x = Conv(c.feature_dim, 3, dtype=c.compute_dtype, name="conv")(feature)
        x = BatchNorm(dtype=jnp.float32, name="norm")(x, train=train, axis_name=axis_name)
        x = Dropout(DROPOUT, name="dropout")(nn.relu(x), example_keys)
        return SegmentationHead(c.num_classes, name="head")(x)

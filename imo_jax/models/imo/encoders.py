"""The two encoders: fundus photograph and OCT volume to maps at a quarter of the image size."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.backbones.convnext import ConvNeXt
from imo_jax.layers.fpn import FeaturePyramid, MergeLevels
from imo_jax.layers.resize import bilinear
from imo_jax.layers.separable import SeparableBlock
from imo_jax.models.imo.config import IMOConfig


class FundusEncoder(nn.Module):
    """ConvNeXt, feature pyramid, merging at stride 4."""

    config: IMOConfig

    @nn.compact
    def __call__(self, fundus: jax.Array, example_keys: jax.Array | None) -> dict[str, jax.Array]:
        """fundus (B, H, W, 3) float32 -> backbone_stage0..3 and fundus_feature (B, H/4, W/4, C)."""
        c = self.config
        backbone = ConvNeXt(
            c.backbone_depths, c.backbone_widths, c.drop_path, c.compute_dtype, name="backbone"
        )
        stages = backbone(fundus, example_keys)
        pyramid = FeaturePyramid(c.feature_dim, c.norm_groups, c.compute_dtype, name="pyramid")
        merge = MergeLevels(c.feature_dim, c.norm_groups, c.compute_dtype, name="merge")
        feature = merge(pyramid(list(stages.values())))
        named = {f"backbone_{name}": stage for name, stage in stages.items()}
        return named | {"fundus_feature": feature}


class OctEncoder(nn.Module):
    """Slices as channels, resized to the fundus feature's grid, then separable blocks."""

    config: IMOConfig

    @nn.compact
    def __call__(
        self,
        volume: jax.Array,
        size: tuple[int, int],
        *,
        train: bool,
        has_oct: jax.Array,
        axis_name: str | None,
    ) -> jax.Array:
        """Features of a volume; exactly zero where it is missing.

        Args:
          volume: (B, h, w, D) float32 in 0..1.
          size: grid of the result, (H/4, W/4).
          train: batch norms use the batch's statistics.
          has_oct: (B,) bool; the others neither give features nor enter the statistics.
          axis_name: see `norms.BatchNorm`.

        Returns:
          (B, *size, feature_dim).
        """
        c = self.config
        there = has_oct[:, None, None, None]
        # where, not a product: what stands in for a missing volume may be anything.
        x = bilinear(jnp.where(there, volume, 0.0), size).astype(c.compute_dtype)
        for i in range(c.oct_blocks):
            block = SeparableBlock(c.feature_dim, c.compute_dtype, name=f"block{i}")
            x = block(x, train=train, mask=has_oct, axis_name=axis_name)
        return jnp.where(there, x, jnp.zeros_like(x))

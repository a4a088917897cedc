"""The two encoders: fundus photograph and OCT volume to maps at a quarter of the image size."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers.convolution import Conv
from imo_jax.layers.fpn import FeaturePyramid, MergeLevels
from imo_jax.layers.normed_conv import NormedConv
from imo_jax.layers.resize import bilinear
from imo_jax.layers.separable import SeparableBlock
from imo_jax.models.imo.config import IMOConfig
from imo_jax.models.imo.fine import Photograph

STRIDE = 4  # of the fundus feature


class FundusEncoder(nn.Module):
    """Any backbone, feature pyramid over its maps from stride 4 on, merging at stride 4."""

    config: IMOConfig

    @nn.compact
    def __call__(
        self,
        fundus: jax.Array,
        *,
        train: bool,
        example_keys: jax.Array | None,
        axis_name: str | None,
    ) -> dict[str, jax.Array]:
        """fundus (B, H, W, 3) float32 -> maps of the backbone and of the pyramid.

        Returns:
          backbone_stage0..: the backbone's maps from stride 4 on, fine to coarse;
          fundus_stride2 (B, H/2, W/2, c), where the backbone has a map at that stride;
          fundus_feature (B, H/4, W/4, C).
        """
        c = self.config
        backbone = c.backbone.module(
            drop_path=c.drop_path, dtype=c.compute_dtype, name="backbone"
        )
        photograph, after_stem = {}, None
        if c.overlapping_stem:
            photograph[2] = Photograph(2, c.compute_dtype, name="stem")(fundus)
            overlapping = Conv(c.backbone.stem, 3, 2, dtype=c.compute_dtype, name="after_stem")
            after_stem = overlapping(photograph[2])
        encoding = backbone(
            fundus, after_stem, train=train, example_keys=example_keys, axis_name=axis_name
        )
        maps = photograph | encoding.maps
        stages = [x for stride, x in maps.items() if stride >= STRIDE]
        size = tuple(n // STRIDE for n in fundus.shape[1:3])
        if STRIDE in maps:
            size = maps[STRIDE].shape[1:3]
        named = {f"backbone_stage{i}": stage for i, stage in enumerate(stages)}
        if 2 in maps:
            named["fundus_stride2"] = maps[2]
        return named | {"fundus_feature": self._merged(stages, size)}

    def _merged(self, stages: list[jax.Array], size: tuple[int, int]) -> jax.Array:
        """The maps' pyramid as one map at stride 4."""
        c = self.config
        pyramid = FeaturePyramid(c.feature_dim, c.norm_groups, c.compute_dtype, name="pyramid")
        merge = MergeLevels(c.feature_dim, c.norm_groups, c.compute_dtype, name="merge")
        feature = merge(pyramid(stages), size)
        if not c.merged_conv:
            return feature
        conv = NormedConv(c.feature_dim, c.norm_groups, dtype=c.compute_dtype, name="merged_conv")
        return conv(feature)


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

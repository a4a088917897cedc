"""Feature pyramid and its merging into one map at the finest stride."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers import initializers
from imo_jax.layers.convolution import Conv
from imo_jax.layers.linear import Linear, linear
from imo_jax.layers.norms import GroupNorm
from imo_jax.layers.resize import bilinear, upsample_nearest


class FeaturePyramid(nn.Module):
    """Lateral 1x1 + GN, nearest top-down addition, 3x3 + GN; no biases, no activations."""

    features: int
    groups: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, stages: list[jax.Array]) -> list[jax.Array]:
        """stages: maps (B, h_i, w_i, C_i), fine to coarse -> maps (B, h_i, w_i, features)."""
        laterals = []
        for i, stage in enumerate(stages):
            x = Linear(self.features, use_bias=False, dtype=self.dtype, name=f"lateral{i}")(stage)
            laterals.append(GroupNorm(self.groups, self.dtype, name=f"lateral{i}_norm")(x))
        for i in reversed(range(len(laterals) - 1)):
            height, width = laterals[i].shape[1:3]
            laterals[i] = laterals[i] + upsample_nearest(laterals[i + 1], (height, width))
        outputs = []
        for i, lateral in enumerate(laterals):
            x = Conv(self.features, 3, dtype=self.dtype, name=f"level{i}")(lateral)
            outputs.append(GroupNorm(self.groups, self.dtype, name=f"level{i}_norm")(x))
        return outputs


class MergeLevels(nn.Module):
    """Levels upsampled to one size, concatenated, 1x1 (no bias), GN.

    The 1x1 convolution is split by level and taken before the upsampling: both are linear and act
    on different axes, so the result is the same and three quarters of the products are at coarse
    resolution.
    """

    features: int
    groups: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, levels: list[jax.Array], size: tuple[int, int] | None = None
    ) -> jax.Array:
        """levels: maps (B, h_i, w_i, C_i), fine to coarse -> (B, *size, features).

        size: of the result; None = the finest level's.
        """
        size = levels[0].shape[1:3] if size is None else size
        widths = [level.shape[-1] for level in levels]
        kernel = self.param(
            "kernel", initializers.torch_kernel, (sum(widths), self.features), jnp.float32
        )
        merged, start = 0, 0
        for level, channels in zip(levels, widths, strict=True):
            part = linear(level, kernel[start : start + channels], None, self.dtype)
            merged = merged + bilinear(part, size)
            start += channels
        return GroupNorm(self.groups, self.dtype, name="norm")(merged)

"""Grading head: separable blocks, squeeze-and-excitation, pooling, a small MLP."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers.linear import Linear
from imo_jax.layers.separable import SeparableBlock
from imo_jax.layers.squeeze_excite import SqueezeExcite
from imo_jax.layers.stochastic import Dropout
from imo_jax.models.imo.config import IMOConfig


class GradingHead(nn.Module):
    """Fused feature (B, h, w, C), and `measures` (B, M) of the shapes -> (B, num_grades) float32."""

    config: IMOConfig

    @nn.compact
    def __call__(
        self,
        feature: jax.Array,
        *,
        train: bool,
        example_keys: jax.Array | None,
        axis_name: str | None,
        measures: jax.Array | None = None,
    ) -> jax.Array:
        c = self.config
        x = feature
        for i in range(c.grade_blocks):
            block = SeparableBlock(c.grade_hidden, c.compute_dtype, name=f"block{i}")
            x = block(x, train=train, axis_name=axis_name)
        x = SqueezeExcite(c.se_reduction, c.compute_dtype, name="squeeze_excite")(x)
        x = jnp.mean(x.astype(jnp.float32), axis=(1, 2))
        if measures is not None:
            x = jnp.concatenate([x, measures], axis=-1)
        x = nn.relu(Linear(c.grade_hidden // 2, dtype=c.compute_dtype, name="hidden")(x))
        x = Dropout(c.grade_dropout, name="dropout")(x, example_keys)
        return Linear(c.num_grades, name="out")(x.astype(jnp.float32))

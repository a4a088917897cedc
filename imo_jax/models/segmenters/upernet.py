"""UPerNet (Xiao et al. 2018) on ConvNeXt: pyramid pooling and a feature pyramid."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.layers.linear import Linear
from imo_jax.layers.resize import bilinear
from imo_jax.layers.stochastic import Dropout
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.models.segmenters.conv_block import ConvBlock
from imo_jax.models.segmenters.encoding import encode, from_stride


class UPerNet(nn.Module):
    """Encoder, pyramid pooling on its last map, top-down pyramid, all levels merged at stride 4."""

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
        """Class logits at stride 4; arguments and results as `networks.NETWORKS` says.

        `auxiliary_logits`, where the config says so, are those of a small head on the last
        map but one (stride 16).
        """
        c, s = self.config, self.config.sizes
        mode = {"train": train, "axis_name": axis_name}
        maps = encode(c, fundus, oct_volume, has_oct, example_keys=example_keys, **mode)
        stages = from_stride(maps, 4)
        x = PyramidHead(s.features, s.pools, c.compute_dtype, name="head")(stages, **mode)
        x = Dropout(s.dropout, name="dropout")(x, example_keys)
        outputs = {"logits": Linear(c.num_classes, name="classifier")(x.astype(jnp.float32))}
        if c.auxiliary:
            block = ConvBlock(s.auxiliary, 3, c.compute_dtype, name="auxiliary")
            x = block(stages[-2], **mode).astype(jnp.float32)
            outputs["auxiliary_logits"] = Linear(c.num_classes, name="auxiliary_classifier")(x)
        return outputs


class PyramidHead(nn.Module):
    """Pyramid pooling, top-down additions, 3x3s, concatenation at the finest level, 3x3.

    Attributes:
      features: channels of every convolution.
      pools: sides of the grids to which the coarsest stage is pooled.
      dtype: of the computation.
    """

    features: int
    pools: tuple[int, ...]
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, stages: list[jax.Array], *, train: bool, axis_name: str | None) -> jax.Array:
        """stages: maps (B, h_i, w_i, C_i), fine to coarse -> (B, h_0, w_0, features)."""

        def block(name: str, size: int, x: jax.Array) -> jax.Array:
            conv = ConvBlock(self.features, size, self.dtype, name=name)
            return conv(x, train=train, axis_name=axis_name)

        sizes = [stage.shape[1:3] for stage in stages]
        pooled = [stages[-1]]
        for pool in self.pools:
            x = block(f"pool{pool}", 1, adaptive_average(stages[-1], pool))
            pooled.append(bilinear(x, sizes[-1]))
        coarsest = block("pooled", 3, jnp.concatenate(pooled, axis=-1))

        levels = [block(f"lateral{i}", 1, stage) for i, stage in enumerate(stages[:-1])]
        levels.append(coarsest)
        for i in reversed(range(len(levels) - 1)):
            levels[i] = levels[i] + bilinear(levels[i + 1], sizes[i])
        levels = [block(f"level{i}", 3, x) for i, x in enumerate(levels[:-1])] + [coarsest]
        merged = jnp.concatenate([bilinear(x, sizes[0]) for x in levels], axis=-1)
        return block("merge", 3, merged)


def adaptive_average(x: jax.Array, size: int) -> jax.Array:
    """(B, H, W, C) -> (B, size, size, C), means over windows that cover the map as PyTorch's do."""
    rows, columns = (jnp.asarray(averaging_matrix(n, size)) for n in x.shape[1:3])
    exact = jax.lax.Precision.HIGHEST
    # (o, H) x (B, H, W, C) -> (B, o, W, C);  (p, W) x (B, o, W, C) -> (B, o, p, C)
    y = jnp.einsum("oh,bhwc->bowc", rows, x.astype(jnp.float32), precision=exact)
    return jnp.einsum("pw,bowc->bopc", columns, y, precision=exact).astype(x.dtype)


def averaging_matrix(size_in: int, size_out: int) -> np.ndarray:
    """(size_out, size_in) float32; row i averages floor(i in / out) ... ceil((i + 1) in / out)."""
    position = np.arange(size_in)
    start = np.arange(size_out)[:, None] * size_in // size_out
    end = -(-(np.arange(size_out)[:, None] + 1) * size_in // size_out)
    window = ((position >= start) & (position < end)).astype(np.float32)
    return window / window.sum(axis=1, keepdims=True)

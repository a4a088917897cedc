"""UNet++ (Zhou et al. 2018): a U-Net whose skips are nested and dense."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers.antialias import resize_smoothly
from imo_jax.layers.linear import Linear
from imo_jax.layers.resize import bilinear
from imo_jax.layers.stochastic import Dropout
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.models.segmenters.conv_block import ConvBlock
from imo_jax.models.segmenters.encoding import oct_features


class UNetPlusPlus(nn.Module):
    """Nodes X(i, j), i the row (fine to coarse), j the column; two 3x3 ConvBlocks each.

    X(i, 0) sees the node above it, max-pooled; X(i, j) sees X(i, 0), ..., X(i, j-1) and
    X(i+1, j-1), upsampled bilinearly.
    """

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
        """Class logits at full resolution; arguments and results as `networks.NETWORKS` says.

        Where the config says auxiliary, `auxiliary_logits_1` ... are those of the nodes X(0, 1)
        ... of the finest row, and `logits` is their mean (the paper's accurate mode); else
        `logits` is of the last of these nodes.
        """
        c = self.config
        widths = c.sizes.widths
        mode = {"train": train, "axis_name": axis_name}

        def node(row: int, column: int, x: jax.Array) -> jax.Array:
            for k in range(2):
                name = f"node{row}_{column}_{k}"
                x = ConvBlock(widths[row], 3, c.compute_dtype, name=name)(x, **mode)
            return x

        first = node(0, 0, fundus)
        added = oct_features(c, widths[0], oct_volume, has_oct, **mode)
        if added is not None:
            first = first + resize_smoothly(added, first.shape[1:3])
        rows = [[first]]
        for i in range(1, len(widths)):
            rows.append([node(i, 0, max_pool_2x2(rows[i - 1][0]))])
        for j in range(1, len(widths)):
            for i in range(len(widths) - j):
                up = bilinear(rows[i + 1][j - 1], rows[i][0].shape[1:3])
                rows[i].append(node(i, j, jnp.concatenate([*rows[i], up], axis=-1)))
        return self._heads(rows[0][1:], example_keys)

    def _heads(
        self, nodes: list[jax.Array], example_keys: jax.Array | None
    ) -> dict[str, jax.Array]:
        """Logits of the finest row's nodes after the first."""
        c = self.config

        def head(j: int) -> jax.Array:
            x = Dropout(c.sizes.dropout, name=f"dropout{j}")(nodes[j - 1], example_keys)
            return Linear(c.num_classes, name=f"head{j}")(x.astype(jnp.float32))

        if not c.auxiliary:
            return {"logits": head(len(nodes))}
        every = {f"auxiliary_logits_{j}": head(j) for j in range(1, len(nodes) + 1)}
        return {"logits": sum(every.values()) / len(every)} | every


def max_pool_2x2(x: jax.Array) -> jax.Array:
    """(B, H, W, C) -> (B, H // 2, W // 2, C), the largest of each 2 x 2; a last odd row is left."""
    batch, height, width, channels = x.shape
    h, w = height // 2, width // 2
    # (B, H, W, C) -> (B, h, 2, w, 2, C)
    x = x[:, : 2 * h, : 2 * w].reshape(batch, h, 2, w, 2, channels)
    # Pairwise: the gradient of a reduction by maximum is slow on CPU.
    x = jnp.maximum(x[:, :, 0], x[:, :, 1])
    return jnp.maximum(x[:, :, :, 0], x[:, :, :, 1])

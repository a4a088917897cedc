"""BEiT (Bao et al. 2022, Peng et al. 2022 for v2): a ViT that knows relative positions only.

Each block adds to its attention a learned bias that depends on the two patches' offset; there are
layer scales, no bias of the keys, and the mean of the patches is what a classifier sees.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.backbones.encoder import Encoding
from imo_jax.backbones.patches import (
    TransformerSize,
    drop_rates,
    embed_patches,
    flatten_with_class,
    patch_maps,
    patches_encoder,
)
from imo_jax.backbones.vit import EPS
from imo_jax.layers.attention import TRUNCATED, TransformerBlock
from imo_jax.layers.norms import LayerNorm
from imo_jax.layers.resize import bilinear

SIZES = {
    "beitv2_b16": TransformerSize(16, 12, 768, 12, 3072),
    "beit_mini": TransformerSize(16, 4, 96, 3, 384),  # ours, for two CPU cores
}
LAYER_SCALE = 0.1
CLASS_OFFSETS = 3  # class token to patch, patch to class token, class token to itself


class RelativePositionBias(nn.Module):
    """A learned number a head for each offset of two cells of a square grid, and the class token.

    Attributes:
      side: cells along each side; other grids see the numbers resized (bilinear).
      heads: of the attention.
    """

    side: int
    heads: int

    @nn.compact
    def __call__(self, grid: tuple[int, int]) -> jax.Array:
        """(1, heads, N, N) float32 of a grid (rows, columns), N = 1 + rows * columns."""
        offsets = 2 * self.side - 1
        shape = (offsets * offsets + CLASS_OFFSETS, self.heads)
        table = resize_offsets(self.param("bias", nn.initializers.zeros, shape, jnp.float32), grid)
        # (entries, heads)[N, N] -> (N, N, heads) -> (1, heads, N, N)
        return table[offset_index(grid)].transpose(2, 0, 1)[None]


def resize_offsets(table: jax.Array, grid: tuple[int, int]) -> jax.Array:
    """Biases of a square grid as those of another grid: the offsets' plane is resized.

    Args:
      table: ((2 side - 1)^2 + 3, heads).
      grid: (rows, columns).

    Returns:
      ((2 rows - 1) (2 columns - 1) + 3, heads); the last three are kept.
    """
    plane, of_class = table[:-CLASS_OFFSETS], table[-CLASS_OFFSETS:]
    side = round(plane.shape[0] ** 0.5)
    size = (2 * grid[0] - 1, 2 * grid[1] - 1)
    if size == (side, side):
        return table
    # (side^2, heads) -> (1, side, side, heads) -> (1, *size, heads) -> (entries, heads)
    resized = bilinear(plane.reshape(1, side, side, -1), size).reshape(size[0] * size[1], -1)
    return jnp.concatenate([resized, of_class])


def offset_index(grid: tuple[int, int]) -> np.ndarray:
    """(N, N) int32: row of the table for query and key; token 0 is the class token."""
    rows, columns = grid
    y, x = (axis.ravel() for axis in np.mgrid[:rows, :columns])
    dy = y[:, None] - y[None, :] + rows - 1
    dx = x[:, None] - x[None, :] + columns - 1
    entries = (2 * rows - 1) * (2 * columns - 1)
    index = np.empty((1 + rows * columns,) * 2, np.int32)
    index[1:, 1:] = dy * (2 * columns - 1) + dx
    index[0, :], index[:, 0], index[0, 0] = entries, entries + 1, entries + 2
    return index


class BEiT(nn.Module):
    """Transformer on patches of an image.

    Attributes:
      size: an entry of SIZES.
      image_size: side in pixels of the images that the offsets are learned for.
      pooled: True = a classifier's norm of the patches' mean; False = maps by a simple feature
        pyramid.
      drop_path: rate of the last block; the rates grow linearly from 0.
      dtype: of the computation.
    """

    size: TransformerSize
    image_size: int = 224
    pooled: bool = True
    drop_path: float = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self,
        image: jax.Array,
        after_stem: jax.Array | None = None,
        *,
        train: bool = False,
        example_keys: jax.Array | None = None,
        axis_name: str | None = None,
    ) -> Encoding:
        """Maps at the patches' stride, or at 4, 8, 16, 32 by the pyramid; see encoder.py."""
        del train, axis_name  # no batch norms
        size = self.size
        x = embed_patches(image, size, after_stem, self.dtype)
        grid = x.shape[1:3]
        x = flatten_with_class(x, self.param("class_token", TRUNCATED, (size.width,), jnp.float32))
        for i, rate in enumerate(drop_rates(self.drop_path, size.depth)):
            bias = RelativePositionBias(
                self.image_size // size.patch, size.heads, name=f"block{i}_relative_position"
            )(grid)
            block = TransformerBlock(
                size.heads, size.mlp, EPS, key_bias=False, layer_scale=LAYER_SCALE,
                drop_path=rate, dtype=self.dtype, name=f"block{i}",
            )  # fmt: skip
            x = block(x, example_keys, bias)
        pooled = jnp.mean(x[:, 1:].astype(jnp.float32), axis=1)
        if self.pooled:
            pooled = LayerNorm(EPS, name="final_norm")(pooled)
        return Encoding(patch_maps(self, x, grid), pooled)


ENCODERS = {
    name: patches_encoder(functools.partial(BEiT, size), size) for name, size in SIZES.items()
}

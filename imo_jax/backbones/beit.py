"""BEiT (Bao et al. 2022, Peng et al. 2022 for v2): a ViT that knows relative positions only.

Each block adds to its attention a learned bias that depends on the two patches' offset; there are
layer scales, no bias of the keys, and the mean of the patches is what a classifier sees.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.backbones.vit import EPS, drop_rates, embed_patches, flatten_with_class
from imo_jax.layers.attention import TRUNCATED, TransformerBlock
from imo_jax.layers.norms import LayerNorm
from imo_jax.layers.resize import bilinear

# name -> the fields of `BEiT`
SIZES = {
    "beitv2_b16": {"patch": 16, "depth": 12, "width": 768, "heads": 12, "mlp": 3072},
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
      patch: side of a patch in pixels.
      depth: blocks.
      width: channels.
      heads: of the attention; divides width.
      mlp: hidden channels of the blocks' MLPs.
      image_size: side in pixels of the images that the offsets are learned for.
      drop_path: rate of the last block; the rates grow linearly from 0.
      dtype: of the computation.
    """

    patch: int
    depth: int
    width: int
    heads: int
    mlp: int
    image_size: int = 224
    drop_path: float = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self,
        image: jax.Array,
        example_keys: jax.Array | None = None,
        after_stem: jax.Array | None = None,
    ) -> dict[str, jax.Array]:
        """Features of an image.

        Args:
          image: (B, H, W, C) float32, normalised; what exceeds whole patches is dropped.
          example_keys: (B,) typed keys for drop-path; None = deterministic.
          after_stem: (B, h, w, width), resized to the grid of patches and added to it.

        Returns:
          tokens: (B, H / patch, W / patch, width), the patches after the last block.
          features: (B, width) float32, the norm of their mean.
        """
        x = embed_patches(image, self.width, self.patch, after_stem, self.dtype)
        batch, *grid, _ = x.shape
        x = flatten_with_class(x, self.param("class_token", TRUNCATED, (self.width,), jnp.float32))
        for i, rate in enumerate(drop_rates(self.drop_path, self.depth)):
            bias = RelativePositionBias(
                self.image_size // self.patch, self.heads, name=f"block{i}_relative_position"
            )(tuple(grid))
            block = TransformerBlock(
                self.heads, self.mlp, EPS, key_bias=False, layer_scale=LAYER_SCALE,
                drop_path=rate, dtype=self.dtype, name=f"block{i}",
            )  # fmt: skip
            x = block(x, example_keys, bias)
        # (B, 1 + h*w, C) -> (B, h, w, C)
        tokens = x[:, 1:].reshape(batch, *grid, self.width)
        pooled = jnp.mean(tokens.astype(jnp.float32), axis=(1, 2))
        return {"tokens": tokens, "features": LayerNorm(EPS, name="final_norm")(pooled)}

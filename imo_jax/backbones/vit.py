"""ViT (Dosovitskiy et al. 2021): patches, a class token, learned positions, pre-norm blocks."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.layers.antialias import resize_smoothly
from imo_jax.layers.attention import TRUNCATED, TransformerBlock
from imo_jax.layers.bicubic import bicubic
from imo_jax.layers.linear import PatchConv
from imo_jax.layers.norms import LayerNorm

EPS = 1e-6

# name -> the fields of `ViT`
SIZES = {
    "vit_s16": {"patch": 16, "depth": 12, "width": 384, "heads": 6, "mlp": 1536},
    "vit_b16": {"patch": 16, "depth": 12, "width": 768, "heads": 12, "mlp": 3072},
}


class PositionEmbedding(nn.Module):
    """A learned vector for the class token and for each cell of a square grid.

    Attributes:
      side: cells along each side; other grids see the vectors resized (bicubic).
    """

    side: int

    @nn.compact
    def __call__(self, grid: tuple[int, int], channels: int) -> jax.Array:
        """(1 + rows * columns, channels) float32 of a grid (rows, columns)."""
        side = self.side
        table = self.param("embedding", TRUNCATED, (1 + side * side, channels), jnp.float32)
        if grid == (side, side):
            return table
        # (side^2, C) -> (side, side, C) -> (rows, columns, C) -> (rows * columns, C)
        cells = bicubic(table[1:].reshape(side, side, channels), grid).reshape(-1, channels)
        return jnp.concatenate([table[:1], cells])


class ViT(nn.Module):
    """Transformer on patches of an image.

    Attributes:
      patch: side of a patch in pixels.
      depth: blocks.
      width: channels.
      heads: of the attention; divides width.
      mlp: hidden channels of the blocks' MLPs.
      image_size: side in pixels of the images that the positions are learned for.
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
          tokens: (B, H / patch, W / patch, width), the patches after the last norm.
          features: (B, width) float32, the class token after it.
        """
        x = embed_patches(image, self.width, self.patch, after_stem, self.dtype)
        batch, *grid, _ = x.shape
        x = flatten_with_class(x, self.param("class_token", TRUNCATED, (self.width,), jnp.float32))
        position = PositionEmbedding(self.image_size // self.patch, name="position")
        x = x + position(tuple(grid), self.width)[None].astype(self.dtype)
        for i, rate in enumerate(drop_rates(self.drop_path, self.depth)):
            block = TransformerBlock(
                self.heads, self.mlp, EPS, drop_path=rate, dtype=self.dtype, name=f"block{i}"
            )
            x = block(x, example_keys)
        x = LayerNorm(EPS, dtype=self.dtype, name="final_norm")(x)
        # (B, 1 + h*w, C) -> (B, h, w, C)
        tokens = x[:, 1:].reshape(batch, *grid, self.width)
        return {"tokens": tokens, "features": x[:, 0].astype(jnp.float32)}


def embed_patches(
    image: jax.Array, width: int, patch: int, after_stem: jax.Array | None, dtype: jnp.dtype
) -> jax.Array:
    """The module's submodule `patch`: (B, H, W, C) -> (B, H / patch, W / patch, width)."""
    x = PatchConv(width, patch, dtype=dtype, name="patch")(image)
    if after_stem is not None:
        x = x + resize_smoothly(after_stem, x.shape[1:3]).astype(dtype)
    return x


def flatten_with_class(x: jax.Array, class_token: jax.Array) -> jax.Array:
    """(B, h, w, C) and (C,) -> (B, 1 + h*w, C), the class token first."""
    batch, _, _, channels = x.shape
    # (C,) -> (B, 1, C);  (B, h, w, C) -> (B, h*w, C)
    first = jnp.broadcast_to(class_token.astype(x.dtype), (batch, 1, channels))
    return jnp.concatenate([first, x.reshape(batch, -1, channels)], axis=1)


def drop_rates(last: float, depth: int) -> list[float]:
    """Drop-path rate of each block: linear from 0 to `last`."""
    return np.linspace(0, last, depth).tolist()

"""ViT (Dosovitskiy et al. 2021): patches, a class token, learned positions, pre-norm blocks."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.backbones.encoder import Encoder, Encoding
from imo_jax.backbones.patches import (
    TransformerSize,
    drop_rates,
    embed_patches,
    flatten_with_class,
    patch_maps,
    patches_encoder,
)
from imo_jax.layers.attention import TRUNCATED, TransformerBlock
from imo_jax.layers.bicubic import bicubic
from imo_jax.layers.norms import LayerNorm

EPS = 1e-6
FINAL_NORMS = ("class", "mean")  # of the class token, or of the patches' mean

SIZES = {
    "vit_s16": TransformerSize(16, 12, 384, 6, 1536),
    "vit_b16": TransformerSize(16, 12, 768, 12, 3072),
    "vit_l16": TransformerSize(16, 24, 1024, 16, 4096),  # MAE's and RETFound's
    "vit_mini": TransformerSize(16, 4, 96, 3, 384),  # ours, for two CPU cores
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
      size: an entry of SIZES.
      image_size: side in pixels of the images that the positions are learned for.
      pooled: True = a classifier's last norm; False = maps by a simple feature pyramid.
      final_norm: what a classifier sees, one of FINAL_NORMS: the class token after the norm of all
        tokens, or the norm of the patches' mean (as fine-tuned MAE and RETFound).
      drop_path: rate of the last block; the rates grow linearly from 0.
      dtype: of the computation.
    """

    size: TransformerSize
    image_size: int = 224
    pooled: bool = True
    final_norm: str = "class"
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
        position = PositionEmbedding(self.image_size // size.patch, name="position")
        x = x + position(grid, size.width)[None].astype(self.dtype)
        for i, rate in enumerate(drop_rates(self.drop_path, size.depth)):
            block = TransformerBlock(
                size.heads, size.mlp, EPS, drop_path=rate, dtype=self.dtype, name=f"block{i}"
            )
            x = block(x, example_keys)
        if self.final_norm == "class":
            x = LayerNorm(EPS, dtype=self.dtype, name="final_norm")(x)
            return Encoding(patch_maps(self, x, grid), x[:, 0].astype(jnp.float32))
        pooled = jnp.mean(x[:, 1:].astype(jnp.float32), axis=1)
        if self.pooled:
            pooled = LayerNorm(EPS, name="pooled_norm")(pooled)
        return Encoding(patch_maps(self, x, grid), pooled)


def encoder(size: TransformerSize, final_norm: str = "class") -> Encoder:
    """The encoder of a size."""
    return patches_encoder(functools.partial(ViT, size, final_norm=final_norm), size)


ENCODERS = {name: encoder(size) for name, size in SIZES.items()}
# Pretrained as a masked autoencoder, fine-tuned on the patches' mean.
ENCODERS["mae_l16"] = ENCODERS["retfound"] = encoder(SIZES["vit_l16"], "mean")
ENCODERS["mae_b16"] = encoder(SIZES["vit_b16"], "mean")

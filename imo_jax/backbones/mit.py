"""Mix Transformer (Xie et al. 2021, "SegFormer"): a hierarchical encoder without positions.

As in the published weights and in transformers: layer norms with eps 1e-5, exact GELU.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.layers import initializers
from imo_jax.layers.activations import gelu
from imo_jax.layers.antialias import resize_smoothly
from imo_jax.layers.attention import TRUNCATED, ZEROS, attend
from imo_jax.layers.convolution import Conv
from imo_jax.layers.depthwise import DepthwiseConv
from imo_jax.layers.linear import Linear, PatchConv
from imo_jax.layers.norms import LayerNorm
from imo_jax.layers.stochastic import DropPath

EPS = 1e-5
PATCHES = ((7, 4), (3, 2), (3, 2), (3, 2))  # kernel size and stride before each stage
REDUCTIONS = (8, 4, 2, 1)  # of the keys' and values' grid, by stage
MLP_RATIO = 4


@dataclasses.dataclass(frozen=True)
class MiTSize:
    """Blocks, channels and attention heads of the four stages."""

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    heads: tuple[int, ...] = (1, 2, 5, 8)


WIDTHS = (64, 128, 320, 512)
SIZES = {
    "b0": MiTSize((2, 2, 2, 2), (32, 64, 160, 256)),
    "b1": MiTSize((2, 2, 2, 2), WIDTHS),
    "b2": MiTSize((3, 4, 6, 3), WIDTHS),
    "b3": MiTSize((3, 4, 18, 3), WIDTHS),
    "b4": MiTSize((3, 8, 27, 3), WIDTHS),
    "b5": MiTSize((3, 6, 40, 3), WIDTHS),
    "tiny": MiTSize((1, 1, 2, 1), (24, 48, 96, 128), (1, 2, 4, 8)),
}


def _dense(dtype: jnp.dtype) -> dict:
    """Options of every linear layer."""
    return {"kernel_init": TRUNCATED, "bias_init": ZEROS, "dtype": dtype}


class ReducedAttention(nn.Module):
    """Self-attention of a map whose keys and values come from a coarser grid.

    Attributes:
      heads: divides the channels.
      reduction: side of the patches that become one key; 1 = every position is one.
      dtype: of the computation; the softmax is taken in float32.
    """

    heads: int
    reduction: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """x: (B, H, W, C), H and W at least `reduction` -> (B, H, W, C)."""
        batch, height, width, channels = x.shape
        dense = _dense(self.dtype)

        def heads_of(name: str, x: jax.Array) -> jax.Array:
            y = Linear(channels, **dense, name=name)(x)
            # (B, h, w, C) -> (B, h*w, heads, C / heads)
            return y.reshape(batch, -1, self.heads, channels // self.heads)

        query = heads_of("query", x)
        if self.reduction > 1:
            x = PatchConv(channels, self.reduction, dtype=self.dtype, name="reduce")(x)
            x = LayerNorm(EPS, dtype=self.dtype, name="reduce_norm")(x)
        key, value = heads_of("key", x), heads_of("value", x)
        # (B, N, heads, C / heads) -> (B, H, W, C)
        y = attend(query, key, value).reshape(batch, height, width, channels)
        return Linear(channels, **dense, name="output")(y)


class MiTBlock(nn.Module):
    """x + drop_path(attention(LN x)), then x + drop_path(W2 gelu(DW3x3 W1 LN x))."""

    heads: int
    reduction: int
    drop_path: float = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, example_keys: jax.Array | None) -> jax.Array:
        channels, dense = x.shape[-1], _dense(self.dtype)
        y = LayerNorm(EPS, dtype=self.dtype, name="attention_norm")(x)
        y = ReducedAttention(self.heads, self.reduction, self.dtype, name="attention")(y)
        x = x + DropPath(self.drop_path, name="attention_drop_path")(y, example_keys)
        y = LayerNorm(EPS, dtype=self.dtype, name="mlp_norm")(x)
        y = Linear(MLP_RATIO * channels, **dense, name="expand")(y)
        y = DepthwiseConv(3, use_bias=True, dtype=self.dtype, name="depthwise")(y)
        y = Linear(channels, **dense, name="contract")(gelu(y))
        return x + DropPath(self.drop_path, name="mlp_drop_path")(y, example_keys)


class MiT(nn.Module):
    """Four stages at strides 4, 8, 16, 32, each of overlapping patches, blocks and a norm.

    Attributes:
      size: an entry of SIZES.
      drop_path: rate of the last block; the rates grow linearly from 0.
      dtype: of the computation.
    """

    size: MiTSize
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
          image: (B, H, W, 3) float32, normalised; H and W at least 32.
          example_keys: (B,) typed keys for drop-path; None = deterministic.
          after_stem: (B, h, w, widths[0]), resized to the stem's output and added to it.

        Returns:
          stage0..stage3: (B, h_i, w_i, widths[i]); h_0 = ceil(H / 4), h_i+1 = ceil(h_i / 2).
        """
        size = self.size
        rates = iter(np.linspace(0, self.drop_path, sum(size.depths)).tolist())
        x = image
        outputs = {}
        for i, (kernel, stride) in enumerate(PATCHES):
            x = Conv(
                size.widths[i], kernel, stride, use_bias=True, bias_init=ZEROS,
                kernel_init=initializers.he_fan_out, dtype=self.dtype, name=f"patches{i}",
            )(x)  # fmt: skip
            x = LayerNorm(EPS, dtype=self.dtype, name=f"patches{i}_norm")(x)
            if i == 0 and after_stem is not None:
                x = x + resize_smoothly(after_stem, x.shape[1:3]).astype(self.dtype)
            for j in range(size.depths[i]):
                block = MiTBlock(
                    size.heads[i], REDUCTIONS[i], next(rates), self.dtype, name=f"stage{i}_block{j}"
                )
                x = block(x, example_keys)
            x = LayerNorm(EPS, dtype=self.dtype, name=f"norm{i}")(x)
            outputs[f"stage{i}"] = x
        return outputs

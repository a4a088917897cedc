"""Mix Transformer (Xie et al. 2021, "SegFormer"): a hierarchical encoder without positions.

As in the published weights and in transformers: layer norms with eps 1e-5, exact GELU.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.backbones.encoder import Encoder, Encoding, mean_of_positions
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
    "mini": MiTSize((1, 1, 2, 1), (24, 48, 96, 128), (1, 2, 4, 8)),  # ours, for two CPU cores
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
        after_stem: jax.Array | None = None,
        *,
        train: bool = False,
        example_keys: jax.Array | None = None,
        axis_name: str | None = None,
    ) -> Encoding:
        """Maps at strides 4, 8, 16, 32; see encoder.py."""
        del train, axis_name  # no batch norms
        size = self.size
        rates = iter(np.linspace(0, self.drop_path, sum(size.depths)).tolist())
        x = image
        maps = {}
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
            maps[4 * 2**i] = x
        return Encoding(maps, mean_of_positions(x))


def encoder(size: MiTSize) -> Encoder:
    """The encoder of a size."""

    def make(*, pooled: bool, **options) -> MiT:
        del pooled  # a mean needs nothing more
        return MiT(size, **options)

    channels = {4 * 2**i: width for i, width in enumerate(size.widths)}
    return Encoder(make, channels, stem=size.widths[0], drop_path=0.1)


ENCODERS = {f"mit_{name}": encoder(size) for name, size in SIZES.items()}

"""MSCAN (Guo et al. 2022, "SegNeXt"): a convolutional encoder with multi-scale strip attention."""

import dataclasses
import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.backbones.encoder import Encoder, Encoding, mean_of_positions
from imo_jax.layers import initializers
from imo_jax.layers.activations import gelu
from imo_jax.layers.antialias import resize_smoothly
from imo_jax.layers.convolution import Conv
from imo_jax.layers.depthwise import DepthwiseConv
from imo_jax.layers.linear import Linear
from imo_jax.layers.norms import BatchNorm, LayerNorm
from imo_jax.layers.stochastic import DropPath

STRIPS = (7, 11, 21)  # lengths of the strip convolutions' kernels
LAYER_SCALE = 1e-2  # from which the blocks' layer scales start


@dataclasses.dataclass(frozen=True)
class MSCANSize:
    """Blocks, channels and expansion of the MLP of the four stages."""

    depths: tuple[int, ...]
    widths: tuple[int, ...] = (64, 128, 320, 512)
    ratios: tuple[int, ...] = (8, 8, 4, 4)


SIZES = {
    "t": MSCANSize((3, 3, 5, 2), (32, 64, 160, 256)),
    "s": MSCANSize((2, 2, 4, 2)),
    "b": MSCANSize((3, 3, 12, 3)),
    "l": MSCANSize((3, 5, 27, 3)),
    "mini": MSCANSize((1, 1, 2, 1), (24, 48, 96, 128), (4, 4, 4, 4)),  # ours, for two CPU cores
}


def _options(dtype: jnp.dtype) -> dict:
    """Of every linear layer and strided convolution."""
    zeros = nn.initializers.zeros
    return {"kernel_init": initializers.he_fan_out, "bias_init": zeros, "dtype": dtype}


class MultiScaleAttention(nn.Module):
    """Gate of equation 1-2: u * W (DW5x5 u + sum over k of the k x 1 of the 1 x k of it)."""

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, u: jax.Array) -> jax.Array:
        """u: (B, H, W, C) -> (B, H, W, C)."""
        local = DepthwiseConv(5, use_bias=True, dtype=self.dtype, name="local")(u)
        total = local
        for k in STRIPS:
            # Kernels of one channel in and out: the fan is their length.
            start = {
                "kernel_init": nn.initializers.normal(math.sqrt(2 / k)),
                "bias_init": nn.initializers.zeros,
            }
            strip = functools.partial(DepthwiseConv, use_bias=True, dtype=self.dtype, **start)
            row = strip((1, k), name=f"row{k}")(local)
            total = total + strip((k, 1), name=f"column{k}")(row)
        return u * Linear(u.shape[-1], **_options(self.dtype), name="mix")(total)


class MSCANBlock(nn.Module):
    """x + drop_path(scale * attention(BN x)), then x + drop_path(scale * MLP(BN x)).

    attention(x) = x + W2 MSCA(gelu(W1 x)); MLP(x) = W2 gelu(DW3x3 W1 x).
    """

    ratio: int
    drop_path: float = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        *,
        train: bool,
        example_keys: jax.Array | None,
        axis_name: str | None,
    ) -> jax.Array:
        channels = x.shape[-1]

        def linear(name: str, features: int, x: jax.Array) -> jax.Array:
            return Linear(features, **_options(self.dtype), name=name)(x)

        def norm(name: str, x: jax.Array) -> jax.Array:
            return BatchNorm(dtype=self.dtype, name=name)(x, train=train, axis_name=axis_name)

        def residual(name: str, x: jax.Array, y: jax.Array) -> jax.Array:
            init = nn.initializers.constant(LAYER_SCALE)
            scale = self.param(f"{name}_scale", init, (channels,), jnp.float32)
            y = y * scale.astype(self.dtype)[None, None, None]
            return x + DropPath(self.drop_path, name=f"{name}_drop_path")(y, example_keys)

        y = norm("attention_norm", x)
        gated = MultiScaleAttention(self.dtype, name="attention")(
            gelu(linear("inward", channels, y))
        )
        x = residual("attention", x, y + linear("outward", channels, gated))
        y = linear("expand", self.ratio * channels, norm("mlp_norm", x))
        y = DepthwiseConv(3, use_bias=True, dtype=self.dtype, name="depthwise")(y)
        return residual("mlp", x, linear("contract", channels, gelu(y)))


class MSCAN(nn.Module):
    """Four stages at strides 4, 8, 16, 32, each of a strided convolution, blocks and a layer norm.

    Attributes:
      size: an entry of SIZES.
      drop_path: rate of the last block; the rates grow linearly from 0.
      dtype: of the computation.
    """

    size: MSCANSize
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

        def halve(name: str, features: int, x: jax.Array) -> jax.Array:
            x = Conv(features, 3, 2, use_bias=True, **_options(self.dtype), name=name)(x)
            norm = BatchNorm(dtype=self.dtype, name=f"{name}_norm")
            return norm(x, train=train, axis_name=axis_name)

        size = self.size
        rates = iter(np.linspace(0, self.drop_path, sum(size.depths)).tolist())
        x = gelu(halve("stem", size.widths[0] // 2, image))
        maps = {}
        for i, (depth, width, ratio) in enumerate(
            zip(size.depths, size.widths, size.ratios, strict=True)
        ):
            x = halve(f"patches{i}", width, x)
            if i == 0 and after_stem is not None:
                x = x + resize_smoothly(after_stem, x.shape[1:3]).astype(self.dtype)
            for j in range(depth):
                block = MSCANBlock(ratio, next(rates), self.dtype, name=f"stage{i}_block{j}")
                x = block(x, train=train, example_keys=example_keys, axis_name=axis_name)
            x = LayerNorm(1e-5, dtype=self.dtype, name=f"norm{i}")(x)
            maps[4 * 2**i] = x
        return Encoding(maps, mean_of_positions(x))


def encoder(size: MSCANSize) -> Encoder:
    """The encoder of a size."""

    def make(*, pooled: bool, **options) -> MSCAN:
        del pooled  # a mean needs nothing more
        return MSCAN(size, **options)

    channels = {4 * 2**i: width for i, width in enumerate(size.widths)}
    return Encoder(make, channels, stem=size.widths[0], drop_path=0.1)


ENCODERS = {f"mscan_{name}": encoder(size) for name, size in SIZES.items()}

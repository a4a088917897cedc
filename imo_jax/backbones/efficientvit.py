"""EfficientViT with cascaded group attention (Liu et al., CVPR 2023), M0 to M5.

Three stages at strides 16, 32, 64. Every convolution is followed by a batch norm; attention looks
at windows of at most 7 x 7 cells. Not the EfficientViT of MIT.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.backbones.encoder import Encoder, Encoding, mean_of_positions
from imo_jax.layers.antialias import resize_smoothly
from imo_jax.layers.attention import attend
from imo_jax.layers.convolution import Conv
from imo_jax.layers.depthwise import DepthwiseConv
from imo_jax.layers.linear import Linear
from imo_jax.layers.norms import BatchNorm
from imo_jax.layers.squeeze_excite import SqueezeExcite

KEY_CHANNELS = 16  # of queries and keys, a head
WINDOW = 7
STEM = 4  # convolutions of stride 2
ZEROS = nn.initializers.zeros

# name -> the fields of `EfficientViT` (Table 3 of the paper and its code)
SIZES = {
    "efficientvit_m0": {
        "depths": (1, 2, 3), "widths": (64, 128, 192), "heads": (4, 4, 4), "kernels": (5, 5, 5, 5)
    },
    "efficientvit_m1": {
        "depths": (1, 2, 3), "widths": (128, 144, 192), "heads": (2, 3, 3), "kernels": (7, 5, 3, 3)
    },
    "efficientvit_m2": {
        "depths": (1, 2, 3), "widths": (128, 192, 224), "heads": (4, 3, 2), "kernels": (7, 5, 3, 3)
    },
    "efficientvit_m3": {
        "depths": (1, 2, 3), "widths": (128, 240, 320), "heads": (4, 3, 4), "kernels": (5, 5, 5, 5)
    },
    "efficientvit_m4": {
        "depths": (1, 2, 3), "widths": (128, 256, 384), "heads": (4, 4, 4), "kernels": (7, 5, 3, 3)
    },
    "efficientvit_m5": {
        "depths": (1, 3, 4), "widths": (192, 288, 384), "heads": (3, 3, 4), "kernels": (7, 5, 3, 3)
    },
    # ours, for two CPU cores
    "efficientvit_mini": {
        "depths": (1, 1, 1), "widths": (32, 48, 64), "heads": (2, 3, 2), "kernels": (5, 3, 3)
    },
}  # fmt: skip


class ConvNorm(nn.Module):
    """Convolution without bias and batch norm, the sort of convolution by `size` and `features`.

    Attributes:
      features: outputs; None = depthwise.
      size: of the kernel.
      stride: of a convolution that is not depthwise.
      starts_at_zero: the norm's scale does, so a residual branch that ends here starts as nothing.
      dtype: of the computation.
    """

    features: int | None
    size: int = 1
    stride: int = 1
    starts_at_zero: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, axis_name: str | None) -> jax.Array:
        if self.features is None:
            conv = DepthwiseConv(self.size, use_bias=False, dtype=self.dtype, name="conv")
        elif self.size == 1:
            conv = Linear(self.features, use_bias=False, dtype=self.dtype, name="conv")
        else:
            conv = Conv(self.features, self.size, self.stride, dtype=self.dtype, name="conv")
        start = ZEROS if self.starts_at_zero else nn.initializers.ones
        norm = BatchNorm(dtype=self.dtype, scale_init=start, name="norm")
        return norm(conv(x), train=train, axis_name=axis_name)


class Mlp(nn.Module):
    """1x1 to twice the channels, ReLU, 1x1 back."""

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, axis_name: str | None) -> jax.Array:
        how = {"train": train, "axis_name": axis_name}
        channels = x.shape[-1]
        y = nn.relu(ConvNorm(2 * channels, dtype=self.dtype, name="expand")(x, **how))
        return ConvNorm(channels, starts_at_zero=True, dtype=self.dtype, name="contract")(y, **how)


class CascadedGroupAttention(nn.Module):
    """Attention whose heads see a part of the channels each, and the output of the head before.

    Attributes:
      heads: they divide the channels.
      kernels: of each head's depthwise convolution of the queries.
      side: cells along each side of the map that the biases are learned for.
      dtype: of the computation.
    """

    heads: int
    kernels: tuple[int, ...]
    side: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, axis_name: str | None) -> jax.Array:
        """x: (B, h, w, C), h and w at most `side` -> (B, h, w, C); adds no residual."""
        how = {"train": train, "axis_name": axis_name}
        batch, height, width, channels = x.shape
        shape = (self.heads, self.side * self.side)
        table = self.param("bias", ZEROS, shape, jnp.float32)
        # (heads, entries)[:, N, N] -> (heads, N, N)
        biases = table[:, distance_index(height, width, self.side)]
        outputs: list[jax.Array] = []
        for i, part in enumerate(jnp.split(x, self.heads, axis=-1)):
            part = part + outputs[-1] if outputs else part
            share = channels // self.heads
            qkv = ConvNorm(2 * KEY_CHANNELS + share, dtype=self.dtype, name=f"qkv{i}")(part, **how)
            q, k, v = jnp.split(qkv, (KEY_CHANNELS, 2 * KEY_CHANNELS), axis=-1)
            q = ConvNorm(None, self.kernels[i], dtype=self.dtype, name=f"query{i}")(q, **how)
            # (B, h, w, D) -> (B, h*w, 1, D): a head of its own
            q, k, v = (a.reshape(batch, height * width, 1, -1) for a in (q, k, v))
            y = attend(q, k, v, biases[i][None, None])
            # (B, h*w, 1, share) -> (B, h, w, share)
            outputs.append(y.reshape(batch, height, width, share))
        y = nn.relu(jnp.concatenate(outputs, axis=-1))
        return ConvNorm(channels, starts_at_zero=True, dtype=self.dtype, name="output")(y, **how)


def distance_index(height: int, width: int, side: int) -> np.ndarray:
    """(N, N) int: |rows apart| * side + |columns apart| of every two cells, N = height * width."""
    y, x = (axis.ravel() for axis in np.mgrid[:height, :width])
    return np.abs(y[:, None] - y[None]) * side + np.abs(x[:, None] - x[None])


class WindowAttention(nn.Module):
    """`CascadedGroupAttention` of a map, or of each of its windows where it is larger than they.

    Windows are `side` x `side`; at the lower and right border they are filled up with zeros, as
    published.
    """

    heads: int
    kernels: tuple[int, ...]
    side: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, axis_name: str | None) -> jax.Array:
        """(B, h, w, C) -> (B, h, w, C)."""
        attention = CascadedGroupAttention(
            self.heads, self.kernels, self.side, self.dtype, name="attention"
        )
        how = {"train": train, "axis_name": axis_name}
        side, (batch, height, width, channels) = self.side, x.shape
        if max(height, width) <= side:
            return attention(x, **how)
        rows, columns = -(-height // side), -(-width // side)
        below, right = rows * side - height, columns * side - width
        x = jnp.pad(x, ((0, 0), (0, below), (0, right), (0, 0)))
        # (B, rows*side, cols*side, C) -> (B, rows, cols, side, side, C) -> (B', side, side, C)
        x = x.reshape(batch, rows, side, columns, side, channels).transpose(0, 1, 3, 2, 4, 5)
        x = attention(x.reshape(-1, side, side, channels), **how)
        # (B', side, side, C) -> (B, rows, side, columns, side, C) -> (B, h, w, C)
        x = x.reshape(batch, rows, columns, side, side, channels).transpose(0, 1, 3, 2, 4, 5)
        x = x.reshape(batch, rows * side, columns * side, channels)
        return x[:, :height, :width]


class Block(nn.Module):
    """Residuals: depthwise 3x3, MLP, window attention, depthwise 3x3, MLP."""

    heads: int
    kernels: tuple[int, ...]
    side: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, axis_name: str | None) -> jax.Array:
        how = {"train": train, "axis_name": axis_name}
        mix = {"starts_at_zero": True, "dtype": self.dtype}
        x = x + ConvNorm(None, 3, name="mix0", **mix)(x, **how)
        x = x + Mlp(self.dtype, name="mlp0")(x, **how)
        windows = WindowAttention(self.heads, self.kernels, self.side, self.dtype, name="windows")
        x = x + windows(x, **how)
        x = x + ConvNorm(None, 3, name="mix1", **mix)(x, **how)
        return x + Mlp(self.dtype, name="mlp1")(x, **how)


class Downsample(nn.Module):
    """Half the resolution, between residuals: depthwise 3x3 and MLP before and after."""

    features: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, axis_name: str | None) -> jax.Array:
        """(B, h, w, C) -> (B, ceil(h / 2), ceil(w / 2), features)."""
        how = {"train": train, "axis_name": axis_name}
        hidden = 4 * x.shape[-1]
        x = x + ConvNorm(None, 3, dtype=self.dtype, name="mix_before")(x, **how)
        x = x + Mlp(self.dtype, name="mlp_before")(x, **how)
        x = nn.relu(ConvNorm(hidden, dtype=self.dtype, name="expand")(x, **how))
        x = nn.relu(StridedDepthwise(self.dtype, name="depthwise")(x, **how))
        x = SqueezeExcite(4, self.dtype, name="squeeze_excite")(x).astype(self.dtype)
        x = ConvNorm(self.features, dtype=self.dtype, name="contract")(x, **how)
        x = x + ConvNorm(None, 3, dtype=self.dtype, name="mix_after")(x, **how)
        return x + Mlp(self.dtype, name="mlp_after")(x, **how)


class StridedDepthwise(nn.Module):
    """Depthwise 3x3 of stride 2 and batch norm."""

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, axis_name: str | None) -> jax.Array:
        x = DepthwiseConv(3, use_bias=False, dtype=self.dtype, name="conv")(x)
        # The stride-2 convolution padded by 1 is every other output of the dense one.
        norm = BatchNorm(dtype=self.dtype, name="norm")
        return norm(x[:, ::2, ::2], train=train, axis_name=axis_name)


class EfficientViT(nn.Module):
    """Stem of four strided convolutions, three stages.

    Attributes:
      depths, widths, heads: blocks, channels and attention heads of each stage.
      kernels: of the depthwise convolution of each head's queries.
      image_size: side in pixels of the images whose maps the windows fit: a stage whose map is
        smaller than 7 x 7 then has windows of the map's size. Larger images have more windows.
      pooled: whether there is a classifier's batch norm of the last stage's mean.
      dtype: of the computation.
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    heads: tuple[int, ...]
    kernels: tuple[int, ...]
    image_size: int = 224
    pooled: bool = True
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
        """Maps at strides 16, 32, 64; see encoder.py."""
        del example_keys  # nothing is drawn
        how = {"train": train, "axis_name": axis_name}
        x, side = image.astype(self.dtype), self.image_size
        for i in range(STEM):
            features = self.widths[0] // 2 ** (STEM - 1 - i)
            x = nn.relu(x) if i > 0 else x
            x = ConvNorm(features, 3, 2, dtype=self.dtype, name=f"stem{i}")(x, **how)
            side = -(-side // 2)
        if after_stem is not None:
            x = x + resize_smoothly(after_stem, x.shape[1:3]).astype(self.dtype)
        maps = {}
        for i, (depth, width, heads) in enumerate(
            zip(self.depths, self.widths, self.heads, strict=True)
        ):
            if i > 0:
                x = Downsample(width, self.dtype, name=f"downsample{i}")(x, **how)
                side = -(-side // 2)
            for j in range(depth):
                block = Block(
                    heads, self.kernels, min(WINDOW, side), self.dtype, name=f"stage{i}_block{j}"
                )
                x = block(x, **how)
            maps[2 ** (STEM + i)] = x
        pooled = mean_of_positions(x)
        return Encoding(
            maps, BatchNorm(name="final_norm")(pooled, **how) if self.pooled else pooled
        )


def encoder(fields: dict) -> Encoder:
    """The encoder of a size."""
    channels = {2 ** (STEM + i): width for i, width in enumerate(fields["widths"])}
    make = functools.partial(EfficientViT, **fields)
    return Encoder(make, channels, stem=fields["widths"][0], of_one_size=True)


ENCODERS = {name: encoder(fields) for name, fields in SIZES.items()}

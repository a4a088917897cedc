"""EfficientNet-Lite (Google 2020): EfficientNet (Tan and Le 2019) for small devices.

Without squeeze-and-excitation, with ReLU6, stem and head of the same width in all sizes.
Convolutions are padded as TensorFlow pads, with the odd zero at the end.
"""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.backbones.encoder import Encoder, Encoding, mean_of_positions
from imo_jax.backbones.normalisation import renormalised
from imo_jax.layers import initializers
from imo_jax.layers.antialias import resize_smoothly
from imo_jax.layers.convolution import Conv, same_padding
from imo_jax.layers.depthwise import DepthwiseConv
from imo_jax.layers.linear import Linear
from imo_jax.layers.norms import BatchNorm
from imo_jax.layers.stochastic import DropPath

INPUT = {"mean": 127.0, "std": 128.0}  # of the published weights
EPS, MOMENTUM = 1e-3, 0.01  # of the batch norms; momentum as PyTorch counts it
STEM, HEAD = 32, 1280
# Blocks, kernel, stride, expansion and channels of each stage of size 0.
STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip
# name -> (width, depth): factors of the stages' channels and blocks
SIZES = {
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
    "efficientnet_lite3": (1.2, 1.4),
    "efficientnet_lite4": (1.4, 1.8),
}


def scaled_channels(channels: int, factor: float) -> int:
    """Channels times a factor, to the nearest multiple of 8 that is not much less."""
    scaled = channels * factor
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def scaled_stages(width: float, depth: float) -> tuple[tuple[int, int, int, int, int], ...]:
    """STAGES in another size; the first and the last keep their number of blocks."""
    last = len(STAGES) - 1
    return tuple(
        (
            blocks if i in (0, last) else math.ceil(blocks * depth),
            kernel,
            stride,
            expansion,
            scaled_channels(channels, width),
        )
        for i, (blocks, kernel, stride, expansion, channels) in enumerate(STAGES)
    )


class MBConv(nn.Module):
    """1x1 to more channels, depthwise, 1x1 to fewer; a residual where the shape stays.

    Each is followed by a batch norm, the first two by ReLU6.

    Attributes:
      features: outputs.
      size: of the depthwise kernel.
      stride: of the depthwise convolution.
      expansion: hidden channels over inputs; with 1 the first 1x1 is left out.
      drop_path: see `stochastic.DropPath`.
      dtype: of the computation.
    """

    features: int
    size: int
    stride: int
    expansion: int
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
        norm = functools.partial(_norm, train=train, axis_name=axis_name, dtype=self.dtype)
        y = x
        if self.expansion > 1:
            y = nn.relu6(norm("expand", _linear("expand", self.expansion * x.shape[-1], y)))
        depthwise = DepthwiseConv(
            self.size, use_bias=False, stride=self.stride,
            padding=same_padding(y.shape[1:3], self.size, self.stride), dtype=self.dtype,
            name="depthwise",
        )  # fmt: skip
        y = nn.relu6(norm("depthwise", depthwise(y)))
        y = norm("contract", _linear("contract", self.features, y))
        if y.shape != x.shape:
            return y
        return x + DropPath(self.drop_path, name="drop_path")(y, example_keys)


def _linear(name: str, features: int, x: jax.Array) -> jax.Array:
    """The calling module's 1x1 convolution without bias."""
    start = initializers.he_fan_out
    return Linear(features, use_bias=False, kernel_init=start, dtype=x.dtype, name=name)(x)


def _norm(name: str, x: jax.Array, *, train: bool, axis_name: str | None, dtype) -> jax.Array:
    """The calling module's batch norm of a convolution."""
    norm = BatchNorm(EPS, MOMENTUM, dtype=dtype, name=f"{name}_norm")
    return norm(x, train=train, axis_name=axis_name)


class EfficientNetLite(nn.Module):
    """Stem at stride 2, seven stages of MBConv, and for a classifier a 1x1 to 1280 channels.

    Attributes:
      width, depth: an entry of SIZES.
      pooled: whether there is that last 1x1.
      classes: of the pretraining's classifier, whose logits are the result; 0 = none.
      drop_path: rate of the last block; the rates grow linearly from 0.
      dtype: of the computation.
    """

    width: float
    depth: float
    pooled: bool = False
    classes: int = 0
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
    ) -> Encoding | jax.Array:
        """Maps at strides 2, 4, 8, 16, 32 (see encoder.py), or logits (B, classes) float32."""
        norm = functools.partial(_norm, train=train, axis_name=axis_name, dtype=self.dtype)
        stages = scaled_stages(self.width, self.depth)
        rates = iter(np.linspace(0, self.drop_path, sum(blocks for blocks, *_ in stages)).tolist())
        x = renormalised(image, **INPUT).astype(self.dtype)
        stem = Conv(
            STEM, 3, 2, padding=same_padding(x.shape[1:3], 3, 2), dtype=self.dtype,
            kernel_init=initializers.he_fan_out, name="stem_conv",
        )  # fmt: skip
        x = nn.relu6(norm("stem", stem(x)))
        if after_stem is not None:
            x = x + resize_smoothly(after_stem, x.shape[1:3]).astype(self.dtype)
        maps, number, at = {}, 0, 2
        for blocks, size, first_stride, expansion, features in stages:
            at *= first_stride
            for j in range(blocks):
                stride = first_stride if j == 0 else 1
                block = MBConv(
                    features, size, stride, expansion, next(rates), self.dtype,
                    name=f"block{number}",
                )  # fmt: skip
                x = block(x, train=train, example_keys=example_keys, axis_name=axis_name)
                number += 1
            maps[at] = x
        if self.pooled or self.classes:
            x = nn.relu6(norm("head", _linear("head_conv", HEAD, x)))
        pooled = mean_of_positions(x)
        if not self.classes:
            return Encoding(maps, pooled)
        return Linear(self.classes, name="classifier")(pooled)


def encoder(width: float, depth: float) -> Encoder:
    """The encoder of a size."""
    channels, at = {}, 2
    for _, _, stride, _, features in scaled_stages(width, depth):
        at *= stride
        channels[at] = features
    make = functools.partial(EfficientNetLite, width, depth)
    return Encoder(make, channels, stem=STEM, drop_path=0.0)


ENCODERS = {name: encoder(*size) for name, size in SIZES.items()}

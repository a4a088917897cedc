"""ResNet (He et al. 2016) for images and, unchanged, for volumes.

Bottlenecks stride in their 3x3 ("v1.5"), as in every public set of weights. Convolutions pad as
PyTorch does and follow the rank of the input, so one class serves 2-D and 3-D.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.backbones.encoder import Encoder, Encoding, mean_of_positions
from imo_jax.layers import initializers
from imo_jax.layers.antialias import resize_smoothly
from imo_jax.layers.convolution import Conv
from imo_jax.layers.norms import BatchNorm
from imo_jax.layers.pooling import max_pool


@dataclasses.dataclass(frozen=True)
class Stem:
    """First convolution: kernel size and stride; whether a 3x3 max-pool of stride 2 follows."""

    size: int
    stride: int
    pool: bool


STEMS = {
    "imagenet": Stem(7, 2, True),  # stage0 at stride 4
    "small": Stem(3, 2, False),  # stage0 at stride 2: small images keep a map worth looking at
    "fine": Stem(7, 1, True),  # stage0 at stride 2: MONAI's default for volumes
}

# name -> (block, blocks a stage)
SIZES = {
    "resnet10": ("basic", (1, 1, 1, 1)),
    "resnet18": ("basic", (2, 2, 2, 2)),
    "resnet34": ("basic", (3, 4, 6, 3)),
    "resnet50": ("bottleneck", (3, 4, 6, 3)),
}
EXPANSION = {"basic": 1, "bottleneck": 4}  # block -> output channels over inner channels


class ResNetBlock(nn.Module):
    """relu(convolutions(x) + shortcut(x)), every convolution without bias and with a batch norm.

    Attributes:
      kind: "basic" (3x3, 3x3) or "bottleneck" (1x1, 3x3, 1x1 to four times the channels).
      features: channels of the 3x3 convolutions.
      stride: of the first 3x3.
      dilation: of the 3x3 convolutions' taps.
      dtype: of the computation.
    """

    kind: str
    features: int
    stride: int = 1
    dilation: int = 1
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, axis_name: str | None = None) -> jax.Array:
        out = self.features * EXPANSION[self.kind]
        # (features, size, stride) of each convolution
        layers = {
            "basic": ((out, 3, self.stride), (out, 3, 1)),
            "bottleneck": ((self.features, 1, 1), (self.features, 3, self.stride), (out, 1, 1)),
        }[self.kind]

        def conv_norm(x: jax.Array, name: str, features: int, size: int, stride: int) -> jax.Array:
            x = Conv(
                features, size, stride, self.dilation, kernel_init=initializers.he_fan_out,
                dtype=self.dtype, name=f"conv{name}",
            )(x)  # fmt: skip
            norm = BatchNorm(dtype=self.dtype, name=f"norm{name}")
            return norm(x, train=train, axis_name=axis_name)

        y = x
        for i, layer in enumerate(layers):
            y = conv_norm(nn.relu(y) if i > 0 else y, str(i), *layer)
        if self.stride > 1 or x.shape[-1] != out:
            x = conv_norm(x, "_shortcut", out, 1, self.stride)
        return nn.relu(y + x)


class ResNet(nn.Module):
    """Stem and stages, each but the first at half the resolution of the one before.

    Attributes:
      block: "basic" or "bottleneck".
      depths: blocks a stage.
      width: inner channels of the first stage; they double from stage to stage.
      stem: a name of STEMS.
      dilate_last: the last stage keeps the stride of the one before it, and the 3x3 convolutions
        after its first block are dilated by 2 (with the stem "imagenet": output stride 16, not 32).
      dtype: of the computation.
    """

    block: str
    depths: tuple[int, ...]
    width: int = 64
    stem: str = "imagenet"
    dilate_last: bool = False
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
        """Maps of images or volumes, of any size; see encoder.py.

        The first stage has stride 4 with the stem "imagenet" and 2 with the others; before a
        max-pool there is one map more, the stem's. Where the last stage keeps a stride, its map
        stands for both.

        Args:
          image: (B, H, W, C) or (B, D, H, W, C) float32, normalised.
          after_stem: of images only.
        """
        del example_keys  # nothing is drawn
        stem = STEMS[self.stem]
        x = Conv(
            self.width, stem.size, stem.stride, kernel_init=initializers.he_fan_out,
            dtype=self.dtype, name="stem_conv",
        )(image)  # fmt: skip
        norm = BatchNorm(dtype=self.dtype, name="stem_norm")
        x = nn.relu(norm(x, train=train, axis_name=axis_name))
        maps, at = {}, stem.stride
        if stem.pool:
            maps[at], at = x, 2 * at
            x = max_pool(x, 3, 2)
        if after_stem is not None:
            x = x + resize_smoothly(after_stem, x.shape[1:3]).astype(self.dtype)
        for i, depth in enumerate(self.depths):
            dilated = self.dilate_last and i > 0 and i + 1 == len(self.depths)
            at *= 2 if i > 0 and not dilated else 1
            for j in range(depth):
                block = ResNetBlock(
                    self.block,
                    self.width * 2**i,
                    stride=2 if i > 0 and j == 0 and not dilated else 1,
                    dilation=2 if dilated and j > 0 else 1,
                    dtype=self.dtype,
                    name=f"stage{i}_block{j}",
                )
                x = block(x, train=train, axis_name=axis_name)
            maps[at] = x
        return Encoding(maps, mean_of_positions(x))


def encoder(block: str, depths: tuple[int, ...], width: int = 64) -> Encoder:
    """The encoder of a size, with the stem of ImageNet's weights."""

    def make(*, pooled: bool, **options) -> ResNet:
        del pooled  # a mean needs nothing more
        return ResNet(block, depths, width, **options)

    channels = {4 * 2**i: width * 2**i * EXPANSION[block] for i in range(len(depths))}
    return Encoder(make, {2: width} | channels, stem=width, dilates=True)


ENCODERS = {name: encoder(*size) for name, size in SIZES.items()}
# Ours, for two CPU cores.
ENCODERS |= {f"resnet10_w{width}": encoder(*SIZES["resnet10"], width) for width in (16, 24)}

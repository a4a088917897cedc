"""DeepLabV3+ (Chen et al. 2018), all its convolutions separable; by default on a ResNet."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers.depthwise import DepthwiseConv
from imo_jax.layers.linear import Linear
from imo_jax.layers.norms import BatchNorm
from imo_jax.layers.resize import bilinear
from imo_jax.layers.separable import SeparableBlock
from imo_jax.layers.stochastic import Dropout
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.models.segmenters.conv_block import ConvBlock
from imo_jax.models.segmenters.encoding import encode, from_stride


class DeepLabV3Plus(nn.Module):
    """Encoder, atrous spatial pyramid pooling on its last map, a decoder at stride 4.

    An encoder that dilates keeps stride 16 for its last stage.
    """

    config: SegmenterConfig

    @nn.compact
    def __call__(
        self,
        fundus: jax.Array,
        oct_volume: jax.Array | None = None,
        has_oct: jax.Array | None = None,
        *,
        train: bool,
        example_keys: jax.Array | None = None,
        axis_name: str | None = None,
    ) -> dict[str, jax.Array]:
        """Class logits at stride 4; arguments and results as `networks.NETWORKS` says."""
        c, s = self.config, self.config.sizes
        mode = {"train": train, "axis_name": axis_name}
        maps = encode(
            c, fundus, oct_volume, has_oct, example_keys=example_keys, dilate_last=True, **mode
        )
        low, *_, high = from_stride(maps, 4)
        x = ASPP(s.features, s.rates, c.compute_dtype, name="aspp")(high, **mode)
        x = Dropout(s.dropout, name="dropout")(x, example_keys)
        x = SeparableBlock(s.features, c.compute_dtype, name="after_aspp")(x, **mode)
        low = ConvBlock(s.low_level, 1, c.compute_dtype, name="low_level")(low, **mode)
        x = jnp.concatenate([bilinear(x, low.shape[1:3]), low], axis=-1)
        x = SeparableBlock(s.features, c.compute_dtype, name="decoder")(x, **mode)
        return {"logits": Linear(c.num_classes, name="classifier")(x.astype(jnp.float32))}


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: 1x1, dilated separable 3x3s, global mean; concatenated, 1x1.

    Every branch ends in BN and ReLU.

    Attributes:
      features: channels of each branch and of the result.
      rates: dilations of the 3x3s.
      dtype: of the computation.
    """

    features: int
    rates: tuple[int, ...]
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, axis_name: str | None) -> jax.Array:
        """x: (B, h, w, C) -> (B, h, w, features)."""
        mode = {"train": train, "axis_name": axis_name}

        def pointwise(name: str, x: jax.Array) -> jax.Array:
            return ConvBlock(self.features, 1, self.dtype, name=name)(x, **mode)

        branches = [pointwise("point", x)]
        for rate in self.rates:
            block = DilatedSeparableBlock(self.features, rate, self.dtype, name=f"rate{rate}")
            branches.append(block(x, **mode))
        mean = jnp.mean(x.astype(jnp.float32), axis=(1, 2), keepdims=True).astype(self.dtype)
        pooled = pointwise("pooled", mean)
        branches.append(jnp.broadcast_to(pooled, branches[0].shape))
        return pointwise("project", jnp.concatenate(branches, axis=-1))


class DilatedSeparableBlock(nn.Module):
    """`separable.SeparableBlock` with a dilated 3x3."""

    features: int
    rate: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, axis_name: str | None) -> jax.Array:
        depthwise = DepthwiseConv(3, use_bias=False, dtype=self.dtype, name="depthwise")
        # Dilated by r is undilated on each of the r * r grids of every r-th pixel.
        grids = interleaved_grids(x, self.rate)
        x = joined_grids(depthwise(grids), self.rate, x.shape[1:3])
        x = Linear(self.features, use_bias=False, dtype=self.dtype, name="pointwise")(x)
        norm = BatchNorm(dtype=self.dtype, name="norm")
        return nn.relu(norm(x, train=train, axis_name=axis_name))


def interleaved_grids(x: jax.Array, rate: int) -> jax.Array:
    """(B, H, W, C) -> (B * r * r, ceil(H / r), ceil(W / r), C): every r-th pixel; zeros at the end."""
    batch, height, width, channels = x.shape
    h, w = -(-height // rate), -(-width // rate)
    x = jnp.pad(x, ((0, 0), (0, h * rate - height), (0, w * rate - width), (0, 0)))
    # (B, h*r, w*r, C) -> (B, h, r, w, r, C) -> (B, r, r, h, w, C) -> (B*r*r, h, w, C)
    x = x.reshape(batch, h, rate, w, rate, channels).transpose(0, 2, 4, 1, 3, 5)
    return x.reshape(-1, h, w, channels)


def joined_grids(grids: jax.Array, rate: int, size: tuple[int, int]) -> jax.Array:
    """The inverse of `interleaved_grids` for an image of `size`."""
    _, h, w, channels = grids.shape
    # (B*r*r, h, w, C) -> (B, r, r, h, w, C) -> (B, h, r, w, r, C) -> (B, h*r, w*r, C)
    x = grids.reshape(-1, rate, rate, h, w, channels).transpose(0, 3, 1, 4, 2, 5)
    return x.reshape(-1, h * rate, w * rate, channels)[:, : size[0], : size[1]]

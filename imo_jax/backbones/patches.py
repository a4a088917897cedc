"""What transformers on patches have in common: tokens of an image, and maps of tokens."""

import dataclasses
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.backbones.encoder import Encoder
from imo_jax.layers.activations import gelu
from imo_jax.layers.antialias import resize_smoothly
from imo_jax.layers.convolution import Conv
from imo_jax.layers.linear import Linear, PatchConv
from imo_jax.layers.norms import LayerNorm

PYRAMID = 256  # channels of the simple feature pyramid's maps
STRIDES = (4, 8, 16, 32)  # of its maps


@dataclasses.dataclass(frozen=True)
class TransformerSize:
    """Side of a patch in pixels; blocks, channels, heads and hidden channels of the MLPs."""

    patch: int
    depth: int
    width: int
    heads: int
    mlp: int


def embed_patches(
    image: jax.Array, size: TransformerSize, after_stem: jax.Array | None, dtype: jnp.dtype
) -> jax.Array:
    """The calling module's `patch`: (B, H, W, C) -> (B, H / patch, W / patch, width)."""
    x = PatchConv(size.width, size.patch, dtype=dtype, name="patch")(image)
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


def patch_maps(module: nn.Module, x: jax.Array, grid: tuple[int, int]) -> dict[int, jax.Array]:
    """Maps of a transformer's tokens (B, 1 + h*w, C), the class token left out.

    For a classifier one at the patches' stride, else those of its submodule `pyramid`.
    """
    # (B, 1 + h*w, C) -> (B, h, w, C)
    tokens = x[:, 1:].reshape(x.shape[0], *grid, x.shape[-1])
    if module.pooled:
        return {module.size.patch: tokens}
    return SimpleFeaturePyramid(module.size.patch, module.dtype, name="pyramid")(tokens)


def patches_encoder(make: Callable[..., nn.Module], size: TransformerSize) -> Encoder:
    """The encoder of a transformer on patches; its maps are the simple feature pyramid's."""
    channels = dict.fromkeys(STRIDES, PYRAMID)
    return Encoder(make, channels, stem=size.width, drop_path=0.1, of_one_size=True)


class SimpleFeaturePyramid(nn.Module):
    """Maps at strides 4, 8, 16, 32 from the last map alone (Li et al. 2022, "ViTDet", 3.1).

    Twofold enlargements (2x2 transposed convolutions; a norm and GELU between two of them) or the
    largest of 2x2, then 1x1 and 3x3 convolutions, each with a layer norm.

    Attributes:
      patch: stride of the map: a power of 2, 8 to 32.
      dtype: of the computation.
    """

    patch: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, tokens: jax.Array) -> dict[int, jax.Array]:
        """tokens: (B, h, w, C) -> stride -> (B, h', w', PYRAMID)."""
        maps = {}
        for stride in STRIDES:
            x = self._brought_to(stride, tokens)
            x = Linear(PYRAMID, use_bias=False, dtype=self.dtype, name=f"lateral{stride}")(x)
            x = LayerNorm(1e-6, dtype=self.dtype, name=f"lateral{stride}_norm")(x)
            x = Conv(PYRAMID, 3, dtype=self.dtype, name=f"level{stride}")(x)
            maps[stride] = LayerNorm(1e-6, dtype=self.dtype, name=f"level{stride}_norm")(x)
        return maps

    def _brought_to(self, stride: int, x: jax.Array) -> jax.Array:
        at, number = self.patch, 0
        while at > stride:
            if number > 0:
                name = f"enlarge{stride}_{number}_norm"
                x = gelu(LayerNorm(1e-6, dtype=self.dtype, name=name)(x))
            x = _enlarge(x, f"enlarge{stride}_{number}", self.dtype)
            at, number = at // 2, number + 1
        while at < stride:
            x = nn.max_pool(x, (2, 2), (2, 2), padding="SAME")
            at *= 2
        return x


def _enlarge(x: jax.Array, name: str, dtype: jnp.dtype) -> jax.Array:
    """(B, h, w, C) -> (B, 2h, 2w, C / 2), every position 2 x 2 by a linear layer.

    The calling module's 2x2 transposed convolution of stride 2.
    """
    batch, height, width, channels = x.shape
    half = channels // 2
    x = Linear(4 * half, dtype=dtype, name=name)(x)
    # (B, h, w, 4 C/2) -> (B, h, w, 2, 2, C/2) -> (B, h, 2, w, 2, C/2) -> (B, 2h, 2w, C/2)
    x = x.reshape(batch, height, width, 2, 2, half).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, 2 * height, 2 * width, half)

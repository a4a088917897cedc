"""The fine path: from the decoder's grid at stride 4 to shapes at stride 2 or 1."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers.linear import Linear
from imo_jax.layers.normed_conv import NormedConv
from imo_jax.layers.resize import bilinear
from imo_jax.models.imo.config import IMOConfig
from imo_jax.models.imo.decoder import SegmentationHead

DETAIL_WIDTH, DETAIL_GROUPS = 16, 4  # channels of a map made of the photograph itself


def fine_strides(fine_stride: int) -> tuple[int, ...]:
    """Strides of the fine path's maps, coarse to fine: 4 -> (), 2 -> (2,), 1 -> (2, 1)."""
    return tuple(stride for stride in (2, 1) if stride >= fine_stride)


def details_of(encoded: dict[str, jax.Array]) -> dict[int, jax.Array]:
    """The maps of `Details` among the outputs of `IMO.encode`: stride -> map, coarse to fine."""
    return {s: encoded[f"detail{s}"] for s in fine_strides(1) if f"detail{s}" in encoded}


class Photograph(nn.Module):
    """Two 3x3 on the photograph, the first with a stride: (B, H, W, 3) -> (B, H/s, W/s, c)."""

    stride: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, fundus: jax.Array) -> jax.Array:
        x = fundus.astype(self.dtype)
        for i, step in enumerate((self.stride, 1)):
            x = NormedConv(DETAIL_WIDTH, DETAIL_GROUPS, step, self.dtype, name=f"conv{i}")(x)
        return x


class Details(nn.Module):
    """What is seen of the photograph at fine strides, once an eye.

    The encoder's own map where it has one at that stride, else of the photograph itself.
    """

    config: IMOConfig

    @nn.compact
    def __call__(
        self, fundus: jax.Array, encoder_maps: dict[int, jax.Array]
    ) -> dict[str, jax.Array]:
        """Maps for the fine path.

        Args:
          fundus: (B, H, W, 3) float32, normalised.
          encoder_maps: stride -> (B, H/stride, W/stride, C), as far as the encoder has them.

        Returns:
          `detail2`, `detail1`: (B, H/2, W/2, fine_dim), (B, H, W, fine_dim), as far as decoded.
        """
        c = self.config
        found = {}
        for stride in fine_strides(c.fine_stride):
            x = encoder_maps.get(stride)
            if x is None:
                x = Photograph(stride, c.compute_dtype, name=f"photograph{stride}")(fundus)
            found[f"detail{stride}"] = Linear(c.fine_dim, dtype=c.compute_dtype, name=f"stride{stride}")(x)
        return found


class FinePath(nn.Module):
    """From coarse to fine: twice as large, beside the details of that stride, two 3x3."""

    config: IMOConfig

    @nn.compact
    def __call__(self, x: jax.Array, details: dict[int, jax.Array]) -> jax.Array:
        """Class logits at the finest stride.

        Args:
          x: (N B, H/4, W/4, C), the decoder's features of N samples an eye, eye by eye.
          details: of the B eyes, see `Details`.

        Returns:
          (N B, H/fine_stride, W/fine_stride, num_classes) float32.
        """
        c = self.config
        x = Linear(c.fine_dim, dtype=c.compute_dtype, name="narrow")(x)
        for stride, detail in details.items():
            x = bilinear(x, detail.shape[1:3])
            detail = jnp.repeat(detail, len(x) // len(detail), axis=0)
            x = jnp.concatenate([x, detail.astype(x.dtype)], axis=-1)
            for i in range(2):
                conv = NormedConv(
                    c.fine_dim, c.norm_groups, dtype=c.compute_dtype, name=f"stride{stride}_conv{i}"
                )
                x = conv(x)
        return SegmentationHead(c.num_classes, name="head")(x)

"""What every backbone is: an image becomes maps by stride, whose channels are known beforehand.

All backbones' modules are called the same way:

    apply(variables, image, after_stem=None, train=False, example_keys=None, axis_name=None)

image: (B, H, W, C) float32, normalised by ImageNet's statistics (normalisation.py); a backbone
  whose weights want another normalisation brings the image to it. H and W at least 32.
after_stem: (B, h, w, Encoder.stem) of a second stem, resized to the first one's output and added.
train: batch norms use and move batch statistics (apply with mutable=["batch_stats"]).
example_keys: (B,) typed PRNG keys of drop-path; None = deterministic.
axis_name: devices over which batch statistics are synchronised.

They return an `Encoding`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp


class Encoding(NamedTuple):
    """What a backbone makes of an image.

    Attributes:
      maps: stride -> (B, ceil(H / stride), ceil(W / stride), channels), fine to coarse. (Backbones
        that cut an image into patches leave out what exceeds whole ones.)
      pooled: (B, C) float32, what a linear classifier sees.
    """

    maps: dict[int, jax.Array]
    pooled: jax.Array


@dataclasses.dataclass(frozen=True)
class Encoder:
    """A backbone in one of its sizes.

    Attributes:
      make: of `pooled`, `dtype`, `name`, and the options below that it has, the Flax module.
      channels: stride -> channels of the map at that stride, fine to coarse.
      stem: channels of the stem's output.
      drop_path: usual rate of the last block, from 0 growing linearly; None = it has no drop-path.
      of_one_size: positions or windows are laid out for one image size; others are taken, too.
      dilates: the last stage can keep the stride of the one before it.
    """

    make: Callable[..., nn.Module]
    channels: Mapping[int, int]
    stem: int
    drop_path: float | None = None
    of_one_size: bool = False
    dilates: bool = False

    def module(
        self,
        *,
        pooled: bool = False,
        drop_path: float | None = None,
        image_size: int = 224,
        dilate_last: bool = False,
        dtype: jnp.dtype = jnp.float32,
        name: str | None = None,
    ) -> nn.Module:
        """The Flax module; options that the backbone does not have are not looked at.

        Args:
          pooled: for a classifier; what only that needs (a last norm) is left out otherwise.
          drop_path: rate of the last block; None = the usual one.
          image_size: side in pixels of the images that it is laid out for.
          dilate_last: the last stage keeps the stride of the one before it, where it can.
          dtype: of the computation.
          name: of the module.
        """
        options = {}
        if self.drop_path is not None:
            options["drop_path"] = self.drop_path if drop_path is None else drop_path
        if self.of_one_size:
            options["image_size"] = image_size
        if self.dilates:
            options["dilate_last"] = dilate_last
        return self.make(pooled=pooled, dtype=dtype, name=name, **options)


def mean_of_positions(x: jax.Array) -> jax.Array:
    """(B, ..., C) -> (B, C) float32."""
    return jnp.mean(x.astype(jnp.float32), axis=tuple(range(1, x.ndim - 1)))

"""ConvNeXt (Liu et al. 2022): as published, as a dense backbone, and as the released IMO has it."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.backbones.encoder import Encoder, Encoding, mean_of_positions
from imo_jax.layers.activations import gelu
from imo_jax.layers.antialias import resize_smoothly
from imo_jax.layers.depthwise import DepthwiseConv
from imo_jax.layers.linear import Linear, PatchConv
from imo_jax.layers.norms import LayerNorm
from imo_jax.layers.stochastic import DropPath

# name -> (blocks a stage, channels a stage)
SIZES = {
    "tiny": ((3, 3, 9, 3), (96, 192, 384, 768)),
    "small": ((3, 3, 27, 3), (96, 192, 384, 768)),
    "base": ((3, 3, 27, 3), (128, 256, 512, 1024)),
    "large": ((3, 3, 27, 3), (192, 384, 768, 1536)),
    "mini": ((1, 1, 2, 1), (24, 48, 96, 128)),  # ours, for two CPU cores
}


@dataclasses.dataclass(frozen=True)
class Variant:
    """What differs between the ConvNeXts in use.

    Attributes:
      layer_scale: from which the blocks' layer scales start.
      downsample_eps: of the norms before the downsampling; all others have 1e-6.
      stage_norms: every stage's output has a norm; else the pooled last stage has one.
    """

    layer_scale: float
    downsample_eps: float
    stage_norms: bool


VARIANTS = {
    "released": Variant(1.0, 1e-5, stage_norms=True),  # in the released IMO
    "dense": Variant(1e-6, 1e-6, stage_norms=True),  # below a segmentation head
    "classifier": Variant(1e-6, 1e-6, stage_norms=False),  # as published
}


class ConvNeXtBlock(nn.Module):
    """x + drop_path(layer_scale * W2 gelu(W1 LN(DW7x7 x))).

    Attributes:
      drop_path: see `stochastic.DropPath`.
      dtype: of the computation.
      layer_scale: from which it starts.
    """

    drop_path: float = 0.0
    dtype: jnp.dtype = jnp.float32
    layer_scale: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array, example_keys: jax.Array | None) -> jax.Array:
        channels = x.shape[-1]
        y = DepthwiseConv(7, use_bias=True, dtype=self.dtype, name="depthwise")(x)
        y = LayerNorm(1e-6, dtype=self.dtype, name="norm")(y)
        y = Linear(4 * channels, dtype=self.dtype, name="expand")(y)
        y = gelu(y)
        y = Linear(channels, dtype=self.dtype, name="contract")(y)
        start = nn.initializers.constant(self.layer_scale)
        scale = self.param("layer_scale", start, (channels,), jnp.float32)
        y = y * scale.astype(self.dtype)[None, None, None]
        return x + DropPath(self.drop_path, name="drop_path")(y, example_keys)


class ConvNeXt(nn.Module):
    """Four stages at strides 4, 8, 16, 32.

    Attributes:
      depths: blocks a stage.
      widths: channels a stage.
      drop_path: rate of the last block; the rates grow linearly from 0.
      dtype: of the computation.
      variant: a name of VARIANTS.
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    drop_path: float = 0.0
    dtype: jnp.dtype = jnp.float32
    variant: str = "released"

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
        variant = VARIANTS[self.variant]
        rates = iter(np.linspace(0, self.drop_path, sum(self.depths)).tolist())
        x = image.astype(self.dtype)
        maps = {}
        for i, (depth, width) in enumerate(zip(self.depths, self.widths, strict=True)):
            if i == 0:
                x = PatchConv(width, 4, dtype=self.dtype, name="stem_conv")(x)
                x = LayerNorm(1e-6, dtype=self.dtype, name="stem_norm")(x)
                if after_stem is not None:
                    x = x + resize_smoothly(after_stem, x.shape[1:3]).astype(self.dtype)
            else:
                eps = variant.downsample_eps
                x = LayerNorm(eps, dtype=self.dtype, name=f"downsample{i}_norm")(x)
                x = PatchConv(width, 2, dtype=self.dtype, name=f"downsample{i}_conv")(x)
            for j in range(depth):
                block = ConvNeXtBlock(
                    next(rates), self.dtype, variant.layer_scale, name=f"stage{i}_block{j}"
                )
                x = block(x, example_keys)
            norm = LayerNorm(1e-6, dtype=self.dtype, name=f"norm{i}")
            maps[4 * 2**i] = norm(x) if variant.stage_norms else x
        if variant.stage_norms:
            return Encoding(maps, mean_of_positions(maps[max(maps)]))
        return Encoding(maps, LayerNorm(1e-6, name="final_norm")(mean_of_positions(x)))


def encoder(
    depths: tuple[int, ...], widths: tuple[int, ...], variant: str | None = None
) -> Encoder:
    """The encoder of a size; without a variant of VARIANTS, "classifier" or "dense" by its use."""

    def make(*, pooled: bool, **options) -> ConvNeXt:
        by_use = "classifier" if pooled else "dense"
        return ConvNeXt(depths, widths, variant=variant or by_use, **options)

    channels = {4 * 2**i: width for i, width in enumerate(widths)}
    return Encoder(make, channels, stem=widths[0], drop_path=0.1)


ENCODERS = {f"convnext_{name}": encoder(*size) for name, size in SIZES.items()}

"""ConvNeXt (Liu et al. 2022) in the variant of the released model.

Layer scale starts at 1.0, channel norms before the downsampling use eps 1e-5 and all others 1e-6,
and every stage's output has a norm of its own.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.layers.activations import gelu
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
}


class ConvNeXtBlock(nn.Module):
    """x + drop_path(layer_scale * W2 gelu(W1 LN(DW7x7 x)))."""

    drop_path: float = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, example_keys: jax.Array | None) -> jax.Array:
        channels = x.shape[-1]
        y = DepthwiseConv(7, use_bias=True, dtype=self.dtype, name="depthwise")(x)
        y = LayerNorm(1e-6, dtype=self.dtype, name="norm")(y)
        y = Linear(4 * channels, dtype=self.dtype, name="expand")(y)
        y = gelu(y)
        y = Linear(channels, dtype=self.dtype, name="contract")(y)
        scale = self.param("layer_scale", nn.initializers.ones, (channels,), jnp.float32)
        y = y * scale.astype(self.dtype)[None, None, None]
        return x + DropPath(self.drop_path, name="drop_path")(y, example_keys)


class ConvNeXt(nn.Module):
    """Four stages at strides 4, 8, 16, 32.

    Attributes:
      depths: blocks a stage.
      widths: channels a stage.
      drop_path: rate of the last block; the rates grow linearly from 0.
      dtype: of the computation.
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    drop_path: float = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, image: jax.Array, example_keys: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Features of an image.

        Args:
          image: (B, H, W, 3) float32, normalised.
          example_keys: (B,) typed keys for drop-path; None = deterministic.

        Returns:
          stage0..stage3: (B, H / 4 / 2^i, W / 4 / 2^i, widths[i]).
        """
        rates = iter(np.linspace(0, self.drop_path, sum(self.depths)).tolist())
        x = image.astype(self.dtype)
        outputs = {}
        for i, (depth, width) in enumerate(zip(self.depths, self.widths, strict=True)):
            if i == 0:
                x = PatchConv(width, 4, dtype=self.dtype, name="stem_conv")(x)
                x = LayerNorm(1e-6, dtype=self.dtype, name="stem_norm")(x)
            else:
                x = LayerNorm(1e-5, dtype=self.dtype, name=f"downsample{i}_norm")(x)
                x = PatchConv(width, 2, dtype=self.dtype, name=f"downsample{i}_conv")(x)
            for j in range(depth):
                block = ConvNeXtBlock(next(rates), self.dtype, name=f"stage{i}_block{j}")
                x = block(x, example_keys)
            outputs[f"stage{i}"] = LayerNorm(1e-6, dtype=self.dtype, name=f"norm{i}")(x)
        return outputs

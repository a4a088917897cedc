"""U-Net (Ronneberger et al. 2015) on any encoder, its convolutions as they are used today.

As in segmentation_models_pytorch: the encoder's maps are the skips; twofold enlargements by
nearest neighbours; two 3x3 convolutions with batch norm and ReLU at each stride.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers.convolution import Conv
from imo_jax.layers.stochastic import Dropout
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.models.segmenters.conv_block import ConvBlock
from imo_jax.models.segmenters.encoding import encode
from imo_jax.models.segmenters.enlarging_block import EnlargingBlock

AUXILIARY = (4, 8)  # strides of the heads for deep supervision


class UNet(nn.Module):
    """Encoder; from its coarsest map down to the size's finest stride, each with its skip."""

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
        """Class logits at the finest stride; arguments and results as `networks.NETWORKS` says.

        Where the config says auxiliary, `auxiliary_logits_4` and `..._8` are those of the decoder's
        maps at these strides.
        """
        c, s = self.config, self.config.sizes
        mode = {"train": train, "axis_name": axis_name}
        maps = encode(c, fundus, oct_volume, has_oct, example_keys=example_keys, **mode)
        at, outputs = max(maps), {}
        x = maps[at]
        while at > s.finest:
            at //= 2
            x = self._step(at, x, maps.get(at), fundus.shape[1:3], **mode)
            if c.auxiliary and at in AUXILIARY:
                outputs[f"auxiliary_logits_{at}"] = self._logits(f"auxiliary{at}", x)
        x = Dropout(s.dropout, name="dropout")(x, example_keys)
        return outputs | {"logits": self._logits("classifier", x)}

    def _step(
        self, stride: int, x: jax.Array, skip: jax.Array | None, image: tuple[int, int], **mode
    ) -> jax.Array:
        """(B, h, w, C) -> (B, H / stride, W / stride, C') with the skip, where there is one."""
        c = self.config
        size = tuple(-(-n // stride) for n in image) if skip is None else skip.shape[1:3]
        width, dtype = c.sizes.width_at(stride), c.compute_dtype
        x = EnlargingBlock(width, dtype, name=f"stride{stride}_0")(x, skip, size=size, **mode)
        return ConvBlock(width, 3, dtype, name=f"stride{stride}_1")(x, **mode)

    def _logits(self, name: str, x: jax.Array) -> jax.Array:
        """A 3x3 convolution to the classes, in float32."""
        return Conv(self.config.num_classes, 3, use_bias=True, name=name)(x.astype(jnp.float32))

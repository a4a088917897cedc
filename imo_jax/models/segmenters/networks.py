"""The segmenters by name, and what they have in common."""

import flax.linen as nn

from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.models.segmenters.deeplab import DeepLabV3Plus
from imo_jax.models.segmenters.segformer import SegFormer
from imo_jax.models.segmenters.segnext import SegNeXt
from imo_jax.models.segmenters.unet import UNet
from imo_jax.models.segmenters.unetpp import UNetPlusPlus
from imo_jax.models.segmenters.upernet import UPerNet

# Every network is called the same way:
#
#   apply(variables, fundus, oct_volume=None, has_oct=None, train=bool, example_keys=None,
#         axis_name=None)
#
# fundus: (B, H, W, 3) float32, normalised (models/inputs.py); H and W at least 32.
# oct_volume: (B, h, w, D) float32 in 0..1, or None; looked at where the config says with_oct.
# has_oct: (B,) bool, or None = all have one. A missing volume contributes exactly nothing.
# train: batch norms use and move batch statistics (apply with mutable=["batch_stats"]).
# example_keys: (B,) typed PRNG keys of dropout, drop-path and SegNeXt's bases; None = deterministic.
# axis_name: devices over which batch statistics are synchronised.
#
# and returns float32 maps at a stride of its own, to be resized bilinearly (align_corners=False):
#
# logits (B, h', w', num_classes).
# auxiliary_logits... (B, h'', w'', num_classes): every entry whose name begins so, where the config
#   says auxiliary; to be trained with a loss of their own.
NETWORKS = {
    "unet": UNet,
    "unetpp": UNetPlusPlus,
    "deeplab": DeepLabV3Plus,
    "upernet": UPerNet,
    "segformer": SegFormer,
    "segnext": SegNeXt,
}


def network(config: SegmenterConfig) -> nn.Module:
    """The Flax module of a config."""
    return NETWORKS[config.network](config)

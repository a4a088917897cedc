"""The graders' backbones by name."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn

from imo_jax.backbones.beit import BEiT
from imo_jax.backbones.convnext import ConvNeXt
from imo_jax.backbones.efficientvit import EfficientViT
from imo_jax.backbones.resnet import ResNet
from imo_jax.backbones.vit import ViT

BATCH_NORMS = ("train", "axis_name")
DROP_PATHS = ("example_keys",)


class Network(NamedTuple):
    """A backbone: how it is made of its fields, and what it takes beside the image."""

    make: Callable[..., nn.Module]
    arguments: tuple[str, ...]


NETWORKS = {
    "resnet": Network(ResNet, BATCH_NORMS),
    "convnext": Network(functools.partial(ConvNeXt, variant="classifier"), DROP_PATHS),
    "vit": Network(ViT, DROP_PATHS),
    "beit": Network(BEiT, DROP_PATHS),
    "efficientvit": Network(EfficientViT, BATCH_NORMS),
}

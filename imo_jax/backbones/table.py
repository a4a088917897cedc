"""All encoders by name. A new backbone is a file with a table ENCODERS, and one line here."""

from imo_jax.backbones import (
    beit,
    convnext,
    efficientnet_lite,
    efficientvit,
    mit,
    mscan,
    resnet,
    vit,
)
from imo_jax.backbones.encoder import Encoder

BACKBONES = (efficientnet_lite, resnet, convnext, mit, mscan, efficientvit, vit, beit)
ENCODERS: dict[str, Encoder] = {
    name: encoder for backbone in BACKBONES for name, encoder in backbone.ENCODERS.items()
}

"""Weights of our U-Net on an EfficientNet-Lite for its PyTorch twin; imports jax, unlike the twin."""

from collections.abc import Mapping

import numpy as np

from imo_jax.backbones.efficientnet_lite import SIZES, scaled_stages
from imo_jax.weights.efficientnet_lite import EFFICIENTNET_LITE
from imo_jax.weights.family import take
from imo_jax.weights.naming import Naming
from imo_jax.weights.rules import flatten, to_state

STRIDES = (16, 8, 4, 2, 1)  # of the decoder's blocks
DECODER = Naming(
    modules={
        f"stride{stride}_{k}/{here}": f"decoder.blocks.{i}.conv{k + 1}.{there}"
        for i, stride in enumerate(STRIDES)
        for k in range(2)
        for here, there in (("conv", 0), ("norm", 1))
    }
    | {"classifier": "segmentation_head.0"}
)
# timm's words for the parts of the first block, which has no expansion.
FIRST = {"conv_pwl": "conv_pw", "bn2": "bn1", "bn3": "bn2"}


def to_torch(variables: Mapping, encoder: str) -> dict[str, np.ndarray]:
    """State dict (float32 arrays) of `twins.unet.UNetTwin`.

    Args:
      variables: {"params", "batch_stats"} of models.segmenters' "unet". Trees of the same structure
        with other arrays in it, gradients say, go over in the same way.
      encoder: a name of `efficientnet_lite.SIZES`.
    """
    inner = take(variables, EFFICIENTNET_LITE, "timm")
    backbone = {_in_stages(name, encoder): array for name, array in inner.items()}
    rules = [DECODER.rule(path, np.ndim(leaf)) for path, leaf in flatten(variables).items()]
    rest = to_state(variables, [rule for rule in rules if rule])
    return {f"unet.encoder.model.{name}": array for name, array in backbone.items()} | {
        f"unet.{name}": array for name, array in rest.items()
    }


def _in_stages(name: str, encoder: str) -> str:
    """`blocks.BLOCK` as timm has it, `blocks.STAGE.BLOCK`."""
    if not name.startswith("blocks."):
        return name
    _, number, part, leaf = name.split(".")
    stages = [blocks for blocks, *_ in scaled_stages(*SIZES[encoder])]
    places = [(i, j) for i, blocks in enumerate(stages) for j in range(blocks)]
    stage, block = places[int(number)]
    # The second batch norm of the first block follows its projection.
    part = FIRST.get(part, part) if stage == 0 else part
    return f"blocks.{stage}.{block}.{part}.{leaf}"

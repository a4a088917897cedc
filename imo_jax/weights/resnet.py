"""Names of ResNet in public libraries; torchvision, timm and MONAI share one set of them."""

from collections.abc import Mapping

import numpy as np

from imo_jax.backbones.resnet import SIZES
from imo_jax.weights.family import Family, Shapes, identify, put, spread_channels, take
from imo_jax.weights.naming import Naming, depths

__all__ = ["NAMINGS", "RESNET", "load_resnet", "recognise", "resnet_to_torch", "spread_channels"]

BLOCK = "stage{i}_block{j}"
AT = ("backbone",)

TORCHVISION = Naming(
    modules={
        "stem_conv": "conv1",
        "stem_norm": "bn1",
        f"{BLOCK}/conv{{k}}": "layer{i+1}.{j}.conv{k+1}",
        f"{BLOCK}/norm{{k}}": "layer{i+1}.{j}.bn{k+1}",
        f"{BLOCK}/conv_shortcut": "layer{i+1}.{j}.downsample.0",
        f"{BLOCK}/norm_shortcut": "layer{i+1}.{j}.downsample.1",
    },
    heads=("fc",),
    prefixes=("resnet.",),
)
LAYER = "encoder.stages.{i}.layers.{j}"
HUGGING_FACE = Naming(
    modules={
        "stem_conv": "embedder.embedder.convolution",
        "stem_norm": "embedder.embedder.normalization",
        f"{BLOCK}/conv{{k}}": f"{LAYER}.layer.{{k}}.convolution",
        f"{BLOCK}/norm{{k}}": f"{LAYER}.layer.{{k}}.normalization",
        f"{BLOCK}/conv_shortcut": f"{LAYER}.shortcut.convolution",
        f"{BLOCK}/norm_shortcut": f"{LAYER}.shortcut.normalization",
    },
    heads=("classifier",),
    prefixes=("resnet.",),
)
NAMINGS = {"torchvision": TORCHVISION, "huggingface": HUGGING_FACE}


def size(shapes: Shapes) -> str:
    """Name of backbones.resnet.SIZES, or sort and number of blocks in words."""
    blocks = depths(shapes, f"{BLOCK}/norm0/scale")
    three = ("params", "stage0_block0", "conv2", "kernel") in shapes
    kind = "bottleneck" if three else "basic"
    known = (name for name, member in SIZES.items() if member == (kind, blocks))
    return next(known, f"ResNet of {kind} blocks {blocks}")


RESNET = Family(
    name="ResNet",
    marks=(("params", "stem_norm", "scale"), ("params", "stage0_block0", "conv1", "kernel")),
    stem=("params", "stem_conv", "kernel"),
    namings=NAMINGS,
    size=size,
)


def load_resnet(
    state: Mapping[str, np.ndarray], variables: Mapping, at: tuple[str, ...] = AT
) -> tuple[dict, str]:
    """Puts a pretrained ResNet into an initialised network, as `pretrained.load_pretrained`.

    Args:
      state: name -> array (see `files.read_state_dict`) under a naming of NAMINGS.
      variables: {"params", "batch_stats"} of the network.
      at: where in both the variables of `backbones.resnet.ResNet` are; () = the network is one.

    Returns:
      The variables with the backbone's replaced, and a line that says what was done.

    Raises:
      WeightsError, ValueError: see `pretrained.load_pretrained`.
    """
    return put(identify(state, (RESNET,)), variables, at, (RESNET,))


def recognise(state: Mapping[str, np.ndarray]) -> str:
    """The naming of NAMINGS that a ResNet's names follow; a WeightsError where none is."""
    return identify(state, (RESNET,)).naming


def resnet_to_torch(
    variables: Mapping, at: tuple[str, ...] = AT, naming: str = "torchvision"
) -> dict[str, np.ndarray]:
    """State dict (float32 arrays) of the ResNet at `at`, under a naming of NAMINGS."""
    return take(variables, RESNET, naming, at)

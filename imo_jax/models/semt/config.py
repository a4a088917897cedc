"""Everything that defines a screening network, and its sizes by name."""

import dataclasses
import math
from dataclasses import field

import jax.numpy as jnp

from imo_jax.backbones.resnet import STEMS
from imo_jax.dtypes import DTYPES

# What a network takes: B-scan triplets (B, H, W, 3) or volumes (B, slices, depth, width, 1).
INPUTS = {"multi_task": "scan", "resnet": "scan", "resnet3d": "cube", "cnn3d": "cube"}


# Voxels that are predicted at a time at most; of the 3-D ResNet, some 4 GB of activations.
VOXELS_AT_ONCE = 2**25


def volume_shape(
    network: str, cube: tuple[int, int, int], raw: tuple[int, int, int]
) -> tuple[int, int, int]:
    """(slices, depth, width) of the volumes that a 3-D network sees.

    The 3-D ResNet sees them raw, the 3-D CNN downsampled (Wang et al. 2019, section 3).

    Args:
      network: of INPUTS.
      cube: downsampled.
      raw: raw, 0 where it is as `cube`.
    """
    if network != "resnet3d":
        return cube
    slices, depth, width = (own or resampled for own, resampled in zip(raw, cube, strict=True))
    return slices, depth, width


def volumes_at_once(shape: tuple[int, int, int] | None, wanted: int) -> int:
    """How many images are predicted at a time: as many as wanted, of large volumes fewer.

    Args:
      shape: (slices, depth, width) of a volume; None = B-scans.
      wanted: at most so many.
    """
    if shape is None:
        return wanted
    return max(1, min(wanted, VOXELS_AT_ONCE // math.prod(shape)))


@dataclasses.dataclass(frozen=True)
class SemtConfig:
    """Architecture of a screening network; the defaults are the paper's, with a ResNet-18.

    `network` is "multi_task" (SEMT, and 2D-ResNet-MT where no label is filled in), "resnet"
    (2D-ResNet, and stage 1 of SEMT), "resnet3d" or "cnn3d" (Maetschke et al. 2019).
    """

    network: str = field(
        default="multi_task",
        metadata={"help": "the network", "choices": tuple(INPUTS), "flag": False},
    )
    stage_sizes: tuple[int, ...] = field(
        default=(2, 2, 2, 2), metadata={"help": "basic blocks of each stage of the ResNet"}
    )
    width: int = field(
        default=64, metadata={"help": "channels of the ResNet's first stage; they double by stage"}
    )
    stem: str = field(
        default="imagenet",
        metadata={
            "help": "the ResNet's first layers: imagenet (7x7 of stride 2, max-pool), small (3x3 "
            "of stride 2) or fine (7x7 of stride 1, max-pool)",
            "choices": tuple(STEMS),
        },
    )
    regression_width: int = field(
        default=256, metadata={"help": "channels of the regression module's convolutions"}
    )
    regression_branches: int = field(
        default=3,
        metadata={"help": "3 = a branch for each visual field index, 1 = one for all of them"},
    )
    cnn_width: int = field(
        default=32, metadata={"help": "channels of the 3-D CNN's five convolutions"}
    )
    dtype: str = field(
        default="float32", metadata={"help": "of the computation", "choices": tuple(DTYPES)}
    )

    def __post_init__(self) -> None:
        """Makes stage_sizes a tuple (so that a config hashes) and checks every value.

        Raises:
          ValueError: listing all bad values.
        """
        object.__setattr__(self, "stage_sizes", tuple(self.stage_sizes))
        problems = _problems(self)
        if problems:
            raise ValueError("SemtConfig: " + "; ".join(problems))

    @property
    def compute_dtype(self) -> jnp.dtype:
        return DTYPES[self.dtype]

    @property
    def input(self) -> str:
        """The batch's entry that the network takes: "scan" or "cube"."""
        return INPUTS[self.network]

    @property
    def regresses(self) -> bool:
        """Whether the network predicts the visual field indices."""
        return self.network == "multi_task"


def _problems(c: SemtConfig) -> list[str]:
    """Everything wrong with the values of a config, in words."""
    found = []
    for name in ("width", "regression_width", "cnn_width"):
        value = getattr(c, name)
        if value < 1:
            found.append(f"{name} is {value}, must be at least 1")
    if not c.stage_sizes or min(c.stage_sizes) < 1:
        found.append(f"stage_sizes is {c.stage_sizes}, must be numbers of at least 1")
    if c.regression_branches not in (1, 3):
        found.append(f"regression_branches is {c.regression_branches}, must be 1 or 3")
    for described in dataclasses.fields(c):
        value, choices = getattr(c, described.name), described.metadata.get("choices")
        if choices and value not in choices:
            found.append(f"{described.name} is {value!r}, choose one of {', '.join(choices)}")
    return found


SIZES = {
    "tiny": SemtConfig(
        stage_sizes=(1, 1, 1, 1), width=16, stem="small", regression_width=32, cnn_width=16
    ),
    "resnet18": SemtConfig(),
}
# What a size decides: the architecture alone. All other settings stay as they are.
OF_SIZE = ("stage_sizes", "width", "stem", "regression_width", "cnn_width")
# name -> the settings that the size decides
SIZE_SETTINGS = {
    name: {setting: getattr(size, setting) for setting in OF_SIZE} for name, size in SIZES.items()
}

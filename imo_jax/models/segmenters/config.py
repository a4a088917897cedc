"""Everything that defines a segmenter of the comparison."""

import dataclasses
from dataclasses import field
from typing import Any

import jax.numpy as jnp

from imo_jax.backbones.encoder import Encoder
from imo_jax.backbones.table import ENCODERS
from imo_jax.dtypes import DTYPES
from imo_jax.models.segmenters.sizes import SIZES, WITH_ENCODER

WITH_AUXILIARY = ("unet", "unetpp", "upernet")


@dataclasses.dataclass(frozen=True)
class SegmenterConfig:
    """Architecture of a segmenter; the defaults are SegFormer-B2 on the fundus photograph alone.

    Rates that are None take the value that belongs to the size (models/segmenters/sizes.py).
    """

    network: str = field(
        default="segformer", metadata={"help": "the network", "choices": tuple(SIZES)}
    )
    size: str | None = field(
        default=None,
        metadata={
            "help": "size of the network, the first is its default: "
            + "; ".join(f"{network}: {', '.join(sizes)}" for network, sizes in SIZES.items())
        },
    )
    encoder: str | None = field(
        default=None,
        metadata={
            "help": "encoder of the photograph, any of backbones/table.py; default: the size's; of "
            + ", ".join(WITH_ENCODER)
        },
    )
    num_classes: int = field(
        default=3, metadata={"help": "segmentation classes, background included"}
    )
    with_oct: bool = field(
        default=False,
        metadata={"help": "a second stem for the OCT, its features added after the first"},
    )
    oct_slices: int = field(default=128, metadata={"help": "slices of the OCT grid"})
    dropout: float | None = field(
        default=None, metadata={"help": "dropout rate in the head; default: the size's"}
    )
    drop_path: float | None = field(
        default=None,
        metadata={
            "help": "drop-path rate of the encoder's last block; default: the size's; of encoders "
            "with residual blocks that may drop"
        },
    )
    auxiliary: bool = field(
        default=False,
        metadata={"help": "more heads, for deep supervision; of " + ", ".join(WITH_AUXILIARY)},
    )
    dtype: str = field(
        default="float32", metadata={"help": "of the computation", "choices": tuple(DTYPES)}
    )

    def __post_init__(self) -> None:
        """Checks every value.

        Raises:
          ValueError: listing all bad values.
        """
        problems = _problems(self)
        if problems:
            raise ValueError("SegmenterConfig: " + "; ".join(problems))

    @property
    def use_oct(self) -> bool:
        return self.with_oct

    @property
    def segment(self) -> bool:
        return True

    @property
    def grade(self) -> bool:
        return False

    @property
    def size_name(self) -> str:
        """The size's name, also where it is left to the network's default."""
        return self.size or next(iter(SIZES[self.network]))

    @property
    def sizes(self) -> Any:
        """Values of the size, with the rates of this config: an entry of SIZES."""
        given = {
            name: getattr(self, name)
            for name in ("encoder", "dropout", "drop_path")
            if getattr(self, name) is not None
        }
        return dataclasses.replace(SIZES[self.network][self.size_name], **given)

    @property
    def backbone(self) -> Encoder:
        """The encoder; of networks of WITH_ENCODER."""
        return ENCODERS[self.sizes.encoder]

    @property
    def compute_dtype(self) -> jnp.dtype:
        return DTYPES[self.dtype]


def _problems(c: SegmenterConfig) -> list[str]:
    """Everything wrong with the values of a config, in words."""
    found = []
    for described in dataclasses.fields(c):
        value, choices = getattr(c, described.name), described.metadata.get("choices")
        if choices and value not in choices:
            found.append(f"{described.name} is {value!r}, choose one of {', '.join(choices)}")
    sizes = SIZES.get(c.network, {})
    if sizes and c.size is not None and c.size not in sizes:
        found.append(f"size is {c.size!r}, {c.network} has {', '.join(sizes)}")
    if c.num_classes < 2:
        found.append(f"num_classes is {c.num_classes}, must be at least 2")
    if c.oct_slices < 1:
        found.append(f"oct_slices is {c.oct_slices}, must be at least 1")
    for name in ("dropout", "drop_path"):
        value = getattr(c, name)
        if value is not None and not 0 <= value < 1:
            found.append(f"{name} is {value}, must be in [0, 1)")
    if not found:
        found += _problems_of_encoder(c)
    if c.auxiliary and c.network not in WITH_AUXILIARY:
        found.append(f"auxiliary is set, {c.network} has no auxiliary head")
    return found


def _problems_of_encoder(c: SegmenterConfig) -> list[str]:
    """What is wrong with the settings of the encoder, where network and size are known."""
    if c.network not in WITH_ENCODER:
        given = [name for name in ("encoder", "drop_path") if getattr(c, name) is not None]
        return [f"{name} is given, {c.network} has no encoder to choose" for name in given]
    if c.sizes.encoder not in ENCODERS:
        return [f"encoder is {c.encoder!r}, choose one of {', '.join(ENCODERS)}"]
    if c.drop_path is not None and c.backbone.drop_path is None:
        return [f"drop_path is given, {c.sizes.encoder} has no residual blocks that may drop"]
    return []

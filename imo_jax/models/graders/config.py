"""Everything that defines a grader, and its sizes by name."""

import dataclasses
from dataclasses import field

import jax.numpy as jnp

from imo_jax.backbones.encoder import Encoder
from imo_jax.backbones.table import ENCODERS
from imo_jax.dtypes import DTYPES

# network -> size -> its encoder in backbones/table.py. The first size of each is its default, that
# of the comparison; "tiny" trains on two CPU cores.
SIZES = {
    "resnet": {"resnet50": "resnet50", "tiny": "resnet10_w16"},
    "convnext": {"convnext_tiny": "convnext_tiny", "tiny": "convnext_mini"},
    "vit": {"vit_b16": "vit_b16", "vit_s16": "vit_s16", "vit_l16": "vit_l16", "tiny": "vit_mini"},
    "beit": {"beitv2_b16": "beitv2_b16", "tiny": "beit_mini"},
    "efficientvit": {
        "efficientvit_m5": "efficientvit_m5",
        **{f"efficientvit_m{n}": f"efficientvit_m{n}" for n in range(6)},
        "tiny": "efficientvit_mini",
    },
}


@dataclasses.dataclass(frozen=True)
class GraderConfig:
    """Architecture of a grader; the networks are those of the paper's Table 2."""

    network: str = field(
        default="resnet", metadata={"help": "the network", "choices": tuple(SIZES)}
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
            "help": "the encoder, any of backbones/table.py, in place of network's and size's"
        },
    )
    num_grades: int = field(
        default=3, metadata={"help": "grades to tell apart, the manifest's", "flag": False}
    )
    with_oct: bool = field(
        default=False, metadata={"help": "a second stem takes the OCT volume; the paper has none"}
    )
    oct_slices: int = field(default=128, metadata={"help": "slices of the OCT grid"})
    layout_size: int = field(
        default=224,
        metadata={
            "help": "side in pixels of the images that an encoder's positions or windows are laid "
            "out for; images of other sizes are taken too",
            "flag": False,  # a run lays them out for the images it trains on
        },
    )
    dropout: float = field(default=0.0, metadata={"help": "rate before the last linear layer"})
    drop_path: float | None = field(
        default=None,
        metadata={
            "help": "drop-path rate of the last block, growing linearly from 0; default: the "
            "encoder's usual one; of encoders with residual blocks that may drop"
        },
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
            raise ValueError("GraderConfig: " + "; ".join(problems))

    @property
    def compute_dtype(self) -> jnp.dtype:
        return DTYPES[self.dtype]

    @property
    def use_oct(self) -> bool:
        return self.with_oct

    @property
    def segment(self) -> bool:
        return False

    @property
    def grade(self) -> bool:
        return True

    @property
    def size_name(self) -> str:
        """The size's name, also where it is left to the network's default."""
        return self.size or next(iter(SIZES[self.network]))

    @property
    def encoder_name(self) -> str:
        """The encoder's name, also where it follows from network and size."""
        return self.encoder or SIZES[self.network][self.size_name]

    @property
    def backbone(self) -> Encoder:
        """The encoder."""
        return ENCODERS[self.encoder_name]


def _problems(c: GraderConfig) -> list[str]:
    """Everything wrong with the values of a config, in words."""
    found = []
    for name, least in (("num_grades", 2), ("oct_slices", 1), ("layout_size", 16)):
        value = getattr(c, name)
        if value < least:
            found.append(f"{name} is {value}, must be at least {least}")
    for name in ("dropout", "drop_path"):
        value = getattr(c, name)
        if value is not None and not 0 <= value < 1:
            found.append(f"{name} is {value}, must be in [0, 1)")
    if c.network not in SIZES:
        found.append(f"network is {c.network!r}, choose one of {', '.join(SIZES)}")
    else:
        if c.size is not None and c.size not in SIZES[c.network]:
            found.append(f"size is {c.size!r}, {c.network} has {', '.join(SIZES[c.network])}")
    if c.encoder is not None and c.encoder not in ENCODERS:
        found.append(f"encoder is {c.encoder!r}, choose one of {', '.join(ENCODERS)}")
    if not found and c.drop_path and c.backbone.drop_path is None:
        found.append(f"drop_path is {c.drop_path}, but {c.encoder_name} has none")
    if c.dtype not in DTYPES:
        found.append(f"dtype is {c.dtype!r}, choose one of {', '.join(DTYPES)}")
    return found

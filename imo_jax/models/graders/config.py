"""Everything that defines a grader, and its sizes by name."""

import dataclasses
from dataclasses import field

import jax.numpy as jnp

from imo_jax.backbones import beit, convnext, efficientvit, resnet, vit

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}

# network -> size -> fields of its backbone. The first size of each is its default, that of the
# comparison; "tiny" trains on two CPU cores.
SIZES = {
    "resnet": {
        "resnet50": {"block": "bottleneck", "depths": resnet.SIZES["resnet50"][1], "width": 64},
        "tiny": {"block": "basic", "depths": (1, 1, 1, 1), "width": 16},
    },
    "convnext": {
        "convnext_tiny": dict(zip(("depths", "widths"), convnext.SIZES["tiny"], strict=True)),
        "tiny": {"depths": (1, 1, 2, 1), "widths": (24, 48, 96, 128)},
    },
    "vit": {
        "vit_b16": vit.SIZES["vit_b16"],
        "vit_s16": vit.SIZES["vit_s16"],
        "tiny": {"patch": 16, "depth": 4, "width": 96, "heads": 3, "mlp": 384},
    },
    "beit": {
        "beitv2_b16": beit.SIZES["beitv2_b16"],
        "tiny": {"patch": 16, "depth": 4, "width": 96, "heads": 3, "mlp": 384},
    },
    "efficientvit": {
        "efficientvit_m5": efficientvit.SIZES["efficientvit_m5"],
        **efficientvit.SIZES,
        "tiny": {
            "depths": (1, 1, 1), "widths": (32, 48, 64), "heads": (2, 3, 2), "kernels": (5, 3, 3)
        },
    },
}  # fmt: skip
# Drop-path rates in use where none is asked for; networks not named here have no drop-path.
DROP_PATH = {"convnext": 0.1, "vit": 0.1, "beit": 0.1}
# These lay out their positions or windows for one image size.
OF_ONE_SIZE = ("vit", "beit", "efficientvit")


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
    num_grades: int = field(default=3, metadata={"help": "grades to tell apart"})
    with_oct: bool = field(
        default=False, metadata={"help": "a second stem takes the OCT volume; the paper has none"}
    )
    oct_slices: int = field(default=128, metadata={"help": "slices of the OCT grid"})
    layout_size: int = field(
        default=224,
        metadata={
            "help": "side in pixels of the images that positions (vit, beit) and windows "
            "(efficientvit) are laid out for; images of other sizes are taken too",
            "flag": False,  # a run lays them out for the images it trains on
        },
    )
    dropout: float = field(default=0.0, metadata={"help": "rate before the last linear layer"})
    drop_path: float | None = field(
        default=None,
        metadata={
            "help": "rate of the last block, growing linearly from 0; not given: "
            + ", ".join(f"{rate} for {name}" for name, rate in DROP_PATH.items())
            + "; the other networks have none"
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
    def backbone(self) -> dict:
        """Fields of the backbone: the size's, and what this config says of them."""
        fields = SIZES[self.network][self.size_name] | {"dtype": self.compute_dtype}
        if self.network in DROP_PATH:
            given = self.drop_path is not None
            fields["drop_path"] = self.drop_path if given else DROP_PATH[self.network]
        if self.network in OF_ONE_SIZE:
            fields["image_size"] = self.layout_size
        return fields

    @property
    def stem_channels(self) -> int:
        """Channels of the stem, to which the OCT's are added."""
        fields = self.backbone
        return fields["width"] if "width" in fields else fields["widths"][0]


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
        if c.drop_path and c.network not in DROP_PATH:
            found.append(f"drop_path is {c.drop_path}, but {c.network} has none")
    if c.dtype not in DTYPES:
        found.append(f"dtype is {c.dtype!r}, choose one of {', '.join(DTYPES)}")
    return found

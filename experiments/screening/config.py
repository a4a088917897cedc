"""The settings of a screening run: one dataclass, from which flags and config.json are derived."""

from dataclasses import dataclass, field

from data_pipelines.augment.scan import ScanAugmentConfig
from experiments.screening.methods import METHODS, SUBSETS, Method
from imo_jax.models.semt.config import SemtConfig
from imo_jax.surrogate.descriptor import POOLINGS
from imo_jax.surrogate.labels import WEIGHTINGS
from imo_jax.train.loop import LoopConfig
from imo_jax.train.optimiser import OptimiserConfig
from imo_jax.train.screening_objective import ScreeningObjectiveConfig

PHANTOM = "data/screening_phantom/screening.csv"


@dataclass(frozen=True)
class ScreeningDataConfig:
    """Which volumes, and at what size."""

    manifest: str = field(
        default=PHANTOM,
        metadata={
            "help": "screening manifest of the volumes; the default one is made where it is absent"
        },
    )
    data_root: str | None = field(
        default=None, metadata={"help": "folder of the volumes, where it is not the manifest's"}
    )
    scan_size: int = field(
        default=224, metadata={"help": "side of the square B-scans in pixels (2-D methods)"}
    )
    max_scans: int = field(
        default=0, metadata={"help": "B-scans of a volume kept, evenly chosen; 0 = all"}
    )
    cube_slices: int = field(default=64, metadata={"help": "B-scans of a cube (3-D methods)"})
    cube_depth: int = field(default=128, metadata={"help": "depth of a cube in voxels"})
    cube_width: int = field(default=64, metadata={"help": "width of a cube in voxels"})
    batch_size: int = field(
        default=32, metadata={"help": "B-scan triplets, or cubes, a step, over all devices"}
    )


@dataclass(frozen=True)
class SurrogateConfig:
    """How visual fields that were not measured are borrowed."""

    pooling: str = field(
        default="sum",
        metadata={
            "help": "norm-3 pooling over the B-scans of a volume",
            "choices": tuple(POOLINGS),
        },
    )
    neighbours: int = field(
        default=1, metadata={"help": "volumes that lend to one that lacks a visual field"}
    )
    weighting: str = field(
        default="inverse_distance",
        metadata={
            "help": "how several that lend are averaged",
            "choices": tuple(WEIGHTINGS),
        },
    )
    stage1: str | None = field(
        default=None,
        metadata={
            "help": "folder of a run with --method=2d whose features are used; without it, "
            "one is trained in the folder of this run"
        },
    )


@dataclass(frozen=True)
class ScreeningEvaluationConfig:
    """How volumes are predicted and scored. May be changed for a run that is trained."""

    eval_batch_size: int = field(
        default=64, metadata={"help": "B-scans, or cubes, predicted at a time"}
    )
    scan_stride: int = field(
        default=1, metadata={"help": "every so many B-scans of a volume are predicted"}
    )
    validation_stride: int = field(
        default=1,
        metadata={"help": "every so many B-scans of a volume are predicted in validations"},
    )
    bootstrap: int = field(
        default=2000, metadata={"help": "resamples of the patients for the 95 % intervals"}
    )
    overlays: int = field(
        default=6, metadata={"help": "volumes of each class drawn with their activation maps"}
    )


@dataclass(frozen=True)
class ScreeningConfig:
    """Everything that defines a screening run."""

    seed: int = field(default=0, metadata={"help": "seed of initialisation, order and dropout"})
    method: str = field(
        default="semt", metadata={"help": "row of Table 1", "choices": tuple(METHODS)}
    )
    train_subset: str = field(
        default="all",
        metadata={
            "help": "training volumes: all, or the part with a measured visual field",
            "choices": SUBSETS,
        },
    )
    pretrained: str | None = field(
        default=None,
        metadata={"help": "file of ImageNet weights for the 2-D ResNet (.pth, .safetensors, .npz)"},
    )
    data: ScreeningDataConfig = ScreeningDataConfig()
    augment: ScanAugmentConfig = ScanAugmentConfig()
    model: SemtConfig = SemtConfig()
    objective: ScreeningObjectiveConfig = ScreeningObjectiveConfig()
    surrogate: SurrogateConfig = SurrogateConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    loop: LoopConfig = LoopConfig()
    evaluation: ScreeningEvaluationConfig = ScreeningEvaluationConfig()

    def __post_init__(self) -> None:
        """Checks what no part can check alone.

        Raises:
          ValueError: listing every problem.
        """
        problems = []
        for part, names in (
            (self.data, ("cube_slices", "cube_depth", "cube_width", "batch_size")),
            (self.evaluation, ("eval_batch_size", "scan_stride", "validation_stride", "bootstrap")),
            (self.surrogate, ("neighbours",)),
        ):
            problems += [
                f"{name}={getattr(part, name)} must be at least 1"
                for name in names
                if getattr(part, name) < 1
            ]
        if self.data.scan_size < 32:
            problems.append(f"scan_size={self.data.scan_size} must be at least 32")
        if self.data.max_scans < 0:
            problems.append(f"max_scans={self.data.max_scans} must not be negative")
        if self.seed < 0:
            problems.append(f"seed={self.seed} must not be negative")
        if self.method not in METHODS:
            problems.append(f"method={self.method!r} is none of {', '.join(METHODS)}")
        elif METHODS[self.method].network != self.model.network:
            problems.append(
                f"method={self.method} has the network {METHODS[self.method].network}, "
                f"not {self.model.network}"
            )
        if self.train_subset not in SUBSETS:
            problems.append(f"train_subset={self.train_subset!r} is none of {', '.join(SUBSETS)}")
        if self.pretrained and self.method in METHODS and self.recipe.whole_volumes:
            problems.append(f"pretrained weights are for 2-D networks, not for {self.method}")
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def recipe(self) -> Method:
        """The method by its name."""
        return METHODS[self.method]

    @property
    def grid(self) -> tuple[int | None, tuple[int, int, int] | None, int | None]:
        """scan_size, cube_shape and max_scans of the images that the method sees."""
        data = self.data
        if self.recipe.whole_volumes:
            return None, (data.cube_slices, data.cube_depth, data.cube_width), None
        return data.scan_size, None, data.max_scans or None


# Settings that may differ between a run and its continuation: they move nothing that is learned.
FREE_TO_CHANGE = frozenset(
    {"data_root", "eval_batch_size", "bootstrap", "overlays", "log_every", "keep_last"}
)
# Settings of a trained run that evaluation and prediction may change.
CHANGEABLE = FREE_TO_CHANGE | {"manifest", "scan_stride"}

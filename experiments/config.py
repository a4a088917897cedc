"""The settings of a run on eyes: dataclasses, from which flags and config.json are derived."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from data_pipelines.manifest.grades import read_grade_names
from data_pipelines.volume_form import ORDERS, VolumeForm
from imo_jax.augment.config import AugmentConfig
from imo_jax.labels import GRADE_NAMES
from imo_jax.models.graders.config import GraderConfig
from imo_jax.models.imo.config import IMOConfig
from imo_jax.models.registry import diffuses
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.predictor.run import oct_shape
from imo_jax.settings.fields import ALWAYS, EVALUATE, problems, replace_leaves, setting
from imo_jax.train.baseline_objective import BaselineObjective
from imo_jax.train.eye_losses import GradeLossConfig, MaskLossConfig
from imo_jax.train.imo_objective import ImoObjective, ObjectiveConfig
from imo_jax.train.loop import LoopConfig
from imo_jax.train.objectives import Objective
from imo_jax.train.optimiser import OptimiserConfig
from imo_jax.weights.packages import PACKAGES

PHANTOM = "data/phantom/manifest.csv"


@dataclass(frozen=True)
class DataConfig:
    """Which eyes, and at what size."""

    manifest: str = setting(
        PHANTOM, "manifest.csv of the eyes; the default one is made where it is absent",
        changes=(EVALUATE,),
    )
    data_root: str | None = setting(
        None, "folder of the images, where it is not the manifest's", changes=ALWAYS,
    )
    grade_names: tuple[str, ...] = setting(
        GRADE_NAMES, "of the grades, from normal to the worst, as the manifest has them", flag=False,
    )
    image_size: int = setting(192, "side of the square working image in pixels; x 4", at_least=32)
    oct_depth: int = setting(64, "depth of the OCT grid in pixels", at_least=1)
    oct_width: int = setting(64, "width of the OCT grid in pixels", at_least=1)
    crop_to_field: bool = setting(True, "cut the black border around the photograph")
    batch_size: int = setting(8, "eyes a step, over all devices", at_least=1)


@dataclass(frozen=True)
class OctFormConfig:
    """What is said of all volumes whose manifest does not say it."""

    oct_axes: str | None = setting(
        None,
        "order of the axes in the files of OCT volumes, where no column oct_axes says "
        "it; default: slices,depth,width", choices=ORDERS, changes=(EVALUATE,),
    )
    oct_range: str | None = setting(
        None,
        "numbers of black and white in OCT volumes, as 0..40, where no column oct_range "
        "says it; default: judged by the numbers", changes=(EVALUATE,),
    )

    def __post_init__(self) -> None:
        """Raises ValueError for a range that is none."""
        if self.oct_range is not None:
            VolumeForm(range=self.oct_range)

    @property
    def form(self) -> VolumeForm:
        """How volumes are to be taken."""
        return VolumeForm(self.oct_axes, self.oct_range)


@dataclass(frozen=True)
class SquaresConfig:
    """Where on a photograph the network looks."""

    region: str = setting(
        "photograph",
        "what the network sees: the photograph, or, in two stages, a square around the "
        "disc that a first network finds (disc)", choices=("photograph", "disc"),
    )
    square_diameters: float = setting(
        2.0, "side of that square in disc diameters", at_least=1.2, at_most=8,
    )
    locator_steps: int = setting(
        300, "training steps of the network that finds the disc", at_least=1,
    )
    locator: str | None = setting(
        None,
        "folder of a trained run that finds the disc: its first stage, or the run "
        "itself; default: one is trained", changes=(EVALUATE,),
    )


@dataclass(frozen=True)
class EvaluationConfig:
    """How eyes are predicted and scored. May be changed for a run that is trained."""

    eval_batch_size: int = setting(8, "eyes predicted at a time", at_least=1, changes=ALWAYS)
    mirror: bool = setting(
        False, "predict the mirrored eye, too, and take the mean; twice the time", changes=ALWAYS,
    )
    bootstrap: int = setting(
        2000, "resamples of the patients for the 95 % intervals", at_least=1, changes=ALWAYS,
    )
    grade_map: str | None = setting(
        None,
        "how grades of a manifest with other grades are scored: binary (normal against the rest), or "
        "MANIFEST'S=NETWORK'S,...; default: by name, else binary where either has two", changes=ALWAYS,
    )
    overlays: int = setting(24, "eyes drawn at most; -1 = all", at_least=-1, changes=ALWAYS)


@dataclass(frozen=True)
class ImoEvaluationConfig(EvaluationConfig):
    """How eyes are predicted and scored by a network that samples."""

    eval_samples: int = setting(
        4, "diffusion samples an eye, averaged; their spread is shown", at_least=1, changes=ALWAYS,
    )


@dataclass(frozen=True)
class EyeRunConfig:
    """What all runs on eyes have in common; `model` and `objective` are the network's."""

    kind: ClassVar[str]  # a key of settings.saved.PROGRAMS

    seed: int = setting(0, "seed of initialisation, order and noise", at_least=0)
    pretrained: str | None = setting(
        None,
        "pretrained weights for the backbone: a file (.safetensors, .pth, .npz), or "
        f"a name that stands for an installed package's ({', '.join(PACKAGES)}); "
        "python -m imo_jax.weights.inspect FILE says what a file is",
    )
    data: DataConfig = DataConfig()
    oct: OctFormConfig = OctFormConfig()
    squares: SquaresConfig = SquaresConfig()
    augment: AugmentConfig = AugmentConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    loop: LoopConfig = LoopConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    def __post_init__(self) -> None:
        """Checks what no part can check alone.

        Raises:
          ValueError: listing every problem.
        """
        found = problems(self)
        for name, size in (
            ("image_size", self.data.image_size),
            ("crop_size", self.augment.crop_size),
        ):
            if size % 4:
                found.append(f"{name}={size} must be a multiple of 4")
        if self.augment.crop_size < 32:
            found.append(f"crop_size={self.augment.crop_size} must be at least 32")
        if self.augment.crop_mode == "none" and self.augment.crop_size != self.data.image_size:
            found.append(
                f"crop_mode=none needs crop_size={self.augment.crop_size} to be "
                f"image_size={self.data.image_size}"
            )
        if self.augment.left_as_right and self.evaluation.mirror:
            found.append(
                "mirror=True with left_as_right=True: the network never saw a left eye as such, and "
                "mirror would show it all eyes as left ones, too"
            )
        names, model = self.data.grade_names, self.model
        if model.grade and model.num_grades != len(names):
            found.append(f"num_grades={model.num_grades}, but the grades are {', '.join(names)}")
        if self.squares.region != "disc" and self.squares.locator is not None:
            found.append(f"locator={self.squares.locator!r} is for region=disc")
        if found:
            raise ValueError("; ".join(found))

    def implied(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Settings without a flag that follow from those that the user names."""
        return {}

    def completed(self) -> Self:
        """The settings with what follows from others filled in: the manifest's grades.

        Where the file of their names is wrong nothing changes; the manifest's check tells.
        """
        wrong: list = []
        names = read_grade_names(Path(self.data.manifest), wrong)
        return self if wrong else self.graded(names)

    def graded(self, names: tuple[str, ...]) -> Self:
        """The settings with these grades, and a head of as many, where there is one."""
        head = {"num_grades": len(names)} if hasattr(self.model, "num_grades") else {}
        return replace_leaves(self, {"grade_names": names, **head})

    def minimised(self) -> Objective:
        """What the training minimises."""
        return BaselineObjective(self.model, self.objective)

    @property
    def samples(self) -> int:
        """Samples an eye in evaluation; 1 of a network that has a single answer."""
        return 1

    @property
    def two_stages(self) -> bool:
        """Whether the network works on squares that a locator finds."""
        return self.squares.region == "disc"

    @property
    def oct_shape(self) -> tuple[int, int, int] | None:
        """(depth, width, slices) of the OCT grid; None for a run without OCT."""
        return oct_shape(self)


@dataclass(frozen=True)
class RunConfig(EyeRunConfig):
    """Everything that defines a run of IMO."""

    kind: ClassVar[str] = "imo"

    model: IMOConfig = IMOConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    evaluation: ImoEvaluationConfig = ImoEvaluationConfig()

    def implied(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Who names blocks or channels of the released ConvNeXt has that as encoder.

        Raises:
          ValueError: another encoder is named beside them.
        """
        of_convnext = [n for n in ("backbone_depths", "backbone_widths") if n in given]
        if not of_convnext:
            return {}
        if given.get("encoder") is not None:
            raise ValueError(
                f"{' and '.join(of_convnext)}: of the released ConvNeXt, not of --encoder="
                f"{given['encoder']}: leave one of them out"
            )
        return {"encoder": None}

    def minimised(self) -> Objective:
        """What the training minimises."""
        return ImoObjective(self.model, self.objective, self.loop.train_steps)

    @property
    def samples(self) -> int:
        """Samples an eye in evaluation; 1 without the sampler."""
        return self.evaluation.eval_samples if diffuses(self.model) else 1


@dataclass(frozen=True)
class SegmenterRunConfig(EyeRunConfig):
    """Everything that defines a run of a segmenter that IMO is compared with."""

    kind: ClassVar[str] = "segmenter"

    model: SegmenterConfig = SegmenterConfig()
    objective: MaskLossConfig = MaskLossConfig()


@dataclass(frozen=True)
class GraderRunConfig(EyeRunConfig):
    """Everything that defines a run of a grader that IMO is compared with."""

    kind: ClassVar[str] = "grader"

    model: GraderConfig = GraderConfig()
    objective: GradeLossConfig = GradeLossConfig()

    def completed(self) -> Self:
        """Also: positions and windows are laid out for the images that are trained on."""
        done = super().completed()
        return replace(done, model=replace(done.model, layout_size=self.augment.crop_size))


# Kind of network on eyes -> the settings of its runs.
EYE_RUNS = {run.kind: run for run in (RunConfig, SegmenterRunConfig, GraderRunConfig)}

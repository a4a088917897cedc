"""The settings of a screening run: one dataclass, from which flags and config.json are derived."""

import operator
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from data_pipelines.load.screening_grid import NEIGHBOURS
from experiments.config import OctFormConfig
from experiments.screening.methods import METHODS, SUBSETS, Method
from imo_jax.augment.scan_config import ScanAugmentConfig
from imo_jax.models.semt.config import SemtConfig, volume_shape
from imo_jax.settings.fields import ALWAYS, EVALUATE, problems, setting
from imo_jax.surrogate.descriptor import POOLINGS
from imo_jax.surrogate.labels import WEIGHTINGS
from imo_jax.train.loop import LoopConfig
from imo_jax.train.optimiser import OptimiserConfig
from imo_jax.train.screening_objective import ScreeningObjectiveConfig

PHANTOM = "data/screening_phantom/screening.csv"


@dataclass(frozen=True)
class ScreeningDataConfig:
    """Which volumes, and at what size."""

    manifest: str = setting(
        PHANTOM, "screening manifest of the volumes; the default one is made where it is absent",
        changes=(EVALUATE,),
    )
    data_root: str | None = setting(
        None, "folder of the volumes, where it is not the manifest's", changes=ALWAYS,
    )
    scan_size: int = setting(224, "side of the square B-scans in pixels (2-D methods)", at_least=32)
    max_scans: int = setting(
        0, "B-scans of a volume that are looked at, evenly chosen; 0 = all", at_least=0,
    )
    scan_neighbours: str = setting(
        "volume",
        "the B-scans next to one where max_scans leaves out some: those of the volume, "
        "or those kept (runs of version 0.1)", choices=NEIGHBOURS, older="kept",
    )
    cube_slices: int = setting(64, "B-scans of a cube (3-D methods)", at_least=1)
    cube_depth: int = setting(128, "depth of a cube in voxels", at_least=1)
    cube_width: int = setting(64, "width of a cube in voxels", at_least=1)
    batch_size: int = setting(32, "B-scan triplets, or cubes, a step, over all devices", at_least=1)


@dataclass(frozen=True)
class RawVolumesConfig:
    """How the 3-D ResNet sees volumes: raw, as the paper says, while the 3-D CNN sees cubes."""

    raw_slices: int = setting(
        0,
        "B-scans of a volume as the 3-D ResNet sees it, their own number for raw "
        "volumes; 0 = cube_slices", at_least=0,
    )
    raw_depth: int = setting(0, "its depth in voxels; 0 = cube_depth", at_least=0)
    raw_width: int = setting(0, "its width in voxels; 0 = cube_width", at_least=0)
    raw_crop: tuple[int, ...] = setting(
        (),
        "slices,depth,width of the part of each volume that the 3-D ResNet is trained "
        "on, drawn at random; empty = whole volumes", at_least=1,
    )
    raw_accumulation: int = setting(
        1, "parts of the 3-D ResNet's batch, taken one after the other to save memory", at_least=1,
    )


@dataclass(frozen=True)
class SurrogateConfig:
    """How visual fields that were not measured are borrowed."""

    pooling: str = setting(
        "sum", "norm-3 pooling over the B-scans of a volume", choices=tuple(POOLINGS),
    )
    neighbours: int = setting(1, "volumes that lend to one that lacks a visual field", at_least=1)
    weighting: str = setting(
        "inverse_distance", "how several that lend are averaged", choices=tuple(WEIGHTINGS),
    )
    stage1: str | None = setting(
        None,
        "folder of a run with --method=2d whose features are used; without it, "
        "one is trained in the folder of this run",
    )


@dataclass(frozen=True)
class ScreeningEvaluationConfig:
    """How volumes are predicted and scored. May be changed for a run that is trained."""

    eval_batch_size: int = setting(
        64, "B-scans, or cubes, predicted at a time", at_least=1, changes=ALWAYS,
    )
    scan_stride: int = setting(
        1, "every so many B-scans of a volume are predicted", at_least=1, changes=(EVALUATE,),
    )
    validation_stride: int = setting(
        1, "every so many B-scans of a volume are predicted in validations", at_least=1,
    )
    bootstrap: int = setting(
        2000, "resamples of the patients for the 95 % intervals", at_least=1, changes=ALWAYS,
    )
    overlays: int = setting(
        6, "volumes of each class drawn with their activation maps", at_least=0, changes=ALWAYS,
    )


@dataclass(frozen=True)
class ScreeningConfig:
    """Everything that defines a screening run."""

    kind: ClassVar[str] = "semt"

    seed: int = setting(0, "seed of initialisation, order and dropout", at_least=0)
    method: str = setting("semt", "row of Table 1", choices=tuple(METHODS))
    train_subset: str = setting(
        "all", "training volumes: all, or the part with a measured visual field", choices=SUBSETS,
    )
    pretrained: str | None = setting(
        None, "file of ImageNet weights for the 2-D ResNet (.pth, .safetensors, .npz)",
    )
    data: ScreeningDataConfig = ScreeningDataConfig()
    raw: RawVolumesConfig = RawVolumesConfig()
    oct: OctFormConfig = OctFormConfig()
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
        found = problems(self)
        if self.method in METHODS and METHODS[self.method].network != self.model.network:
            found.append(
                f"method={self.method} has the network {METHODS[self.method].network}, "
                f"not {self.model.network}"
            )
        if self.crop and (
            len(self.crop) != 3 or any(map(operator.gt, self.crop, self.cube_shape))
        ):
            size = " x ".join(map(str, self.cube_shape))
            found.append(f"raw_crop={self.crop} is no part of a volume of {size}")
        if self.pretrained and self.method in METHODS and self.recipe.whole_volumes:
            found.append(f"pretrained weights are for 2-D networks, not for {self.method}")
        if self.optimiser.remat and self.model.network == "cnn3d":
            found.append(f"remat is for networks of blocks, {self.method} has none")
        if found:
            raise ValueError("; ".join(found))

    def implied(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Settings without a flag that follow from those that the user names."""
        return {"network": METHODS[given.get("method", self.method)].network}

    def completed(self) -> Self:
        """The settings with what follows from others filled in."""
        return self

    def stage1(self) -> Self:
        """The run that learns the features by which visual fields are borrowed: from classes alone."""
        return replace(
            self,
            method="2d",
            model=replace(self.model, network=METHODS["2d"].network),
            surrogate=replace(self.surrogate, stage1=None),
        )

    def stage1_folder(self, workdir: str | pathlib.Path) -> pathlib.Path:
        """Where they come from: the run that the user names, or one in this run's folder."""
        if self.surrogate.stage1 is not None:
            return pathlib.Path(self.surrogate.stage1)
        return pathlib.Path(workdir) / "stage1"

    @property
    def recipe(self) -> Method:
        """The method by its name."""
        return METHODS[self.method]

    @property
    def cube_shape(self) -> tuple[int, int, int]:
        """(slices, depth, width) of the volumes that a 3-D method sees."""
        data, raw = self.data, self.raw
        return volume_shape(
            self.model.network,
            (data.cube_slices, data.cube_depth, data.cube_width),
            (raw.raw_slices, raw.raw_depth, raw.raw_width),
        )

    @property
    def crop(self) -> tuple[int, int, int] | None:
        """(slices, depth, width) of the part of a volume that is trained on; None = the whole."""
        return self.raw.raw_crop or None if self.model.network == "resnet3d" else None

    @property
    def accumulation(self) -> int:
        """Parts of a training batch, one after the other."""
        return (
            self.raw.raw_accumulation * self.optimiser.accumulation
            if self.model.network == "resnet3d"
            else self.optimiser.accumulation
        )

    @property
    def grid(self) -> tuple[int | None, tuple[int, int, int] | None, int | None, str]:
        """scan_size, cube_shape, max_scans and scan_neighbours of the images that the method sees."""
        data = self.data
        if self.recipe.whole_volumes:
            return None, self.cube_shape, None, "volume"
        return data.scan_size, None, data.max_scans or None, data.scan_neighbours

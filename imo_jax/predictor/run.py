"""A trained run as its folder tells of it: what network, how it wants its eyes, its variables."""

import csv
import dataclasses
import json
import os
import pathlib
import types
from typing import Any

from data_pipelines.load.screening_grid import ScreeningGrid
from data_pipelines.volume_form import AS_STORED, VolumeForm
from imo_jax.checkpoints import restore_variables
from imo_jax.labels import GRADE_NAMES, default_grade_names
from imo_jax.models.imo.config import IMOConfig
from imo_jax.models.registry import KINDS, diffuses, kind_of
from imo_jax.models.semt.config import volume_shape, volumes_at_once
from imo_jax.models.variables import variable_shapes
from imo_jax.predictor.calibration import FILE as CALIBRATION_FILE
from imo_jax.predictor.calibration import EyeCalibration
from imo_jax.predictor.eyes import NOT_MEASURED, EyeSettings
from imo_jax.predictor.volume_batches import VolumeSettings
from imo_jax.settings import saved
from imo_jax.weights.imo_config import imo_of_file

# What the released code works on, see the preset `released`: pixels, and (depth, width) of the OCT.
RELEASED_SIZE, RELEASED_OCT = 1024, (256, 256)
NOT_TRAINED_HERE = "nothing: the weights came without measured errors"


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained network.

    Attributes:
      where: folder or file it was read from.
      settings: how it is asked.
      variables: {"params", "batch_stats"} numpy arrays.
      step: of the checkpoint.
      threshold: of a screening run, what validation chose at that step; None = not known.
      calibration: of a run on eyes, what validation taught of its errors; or why there is none.
    """

    where: str
    settings: EyeSettings | VolumeSettings
    variables: dict[str, Any]
    step: int
    threshold: float | None = None
    calibration: EyeCalibration | str = NOT_MEASURED


def eye_settings(config: Any) -> EyeSettings:
    """How the network of a run on eyes is asked, from the run's configuration."""
    squares = getattr(config, "squares", None)  # runs of form 1 see whole photographs
    in_squares = squares is not None and squares.region == "disc"
    return EyeSettings(
        model=config.model,
        image_size=config.data.image_size,
        oct_shape=oct_shape(config),
        crop_to_field=config.data.crop_to_field,
        samples=config.evaluation.eval_samples if diffuses(config.model) else 1,
        # Runs of earlier versions have no such setting.
        mirror=getattr(config.evaluation, "mirror", False),
        batch_size=config.evaluation.eval_batch_size,
        square_diameters=squares.square_diameters if in_squares else None,
        oct_form=oct_form(config),
        # Runs of earlier versions have no such setting, and mirrored none.
        left_as_right=getattr(config.augment, "left_as_right", False),
        # Runs of earlier versions have the paper's.
        grade_names=tuple(getattr(config.data, "grade_names", GRADE_NAMES)),
    )


def oct_shape(config: Any) -> tuple[int, int, int] | None:
    """(depth, width, slices) of the OCT grid; None of a network without OCT."""
    if not config.model.use_oct:
        return None
    return config.data.oct_depth, config.data.oct_width, config.model.oct_slices


def oct_form(config: Any) -> VolumeForm:
    """What the run was told of axes and numbers of volumes; nothing of earlier versions was."""
    told = getattr(config, "oct", None)
    return AS_STORED if told is None else VolumeForm(told.oct_axes, told.oct_range)


def volume_settings(config: Any) -> VolumeSettings:
    """How the network of a screening run is asked, from the run's configuration."""
    data = config.data
    if config.model.input == "cube":
        cube = data.cube_slices, data.cube_depth, data.cube_width
        raw = getattr(config, "raw", None)  # runs of form 1 have cubes alone
        if raw is not None:
            raw_shape = raw.raw_slices, raw.raw_depth, raw.raw_width
            cube = volume_shape(config.model.network, cube, raw_shape)
        grid = ScreeningGrid(None, cube)
    else:
        grid = ScreeningGrid(
            data.scan_size,
            max_scans=data.max_scans or None,
            # Runs of form 1 have no such setting, and saw the neighbours among the B-scans kept.
            scan_neighbours=getattr(data, "scan_neighbours", "kept"),
        )
    return VolumeSettings(
        model=config.model,
        grid=grid,
        right_as_left=config.augment.right_as_left,
        scan_stride=config.evaluation.scan_stride,
        batch_size=volumes_at_once(grid.cube_shape, config.evaluation.eval_batch_size),
        oct_form=oct_form(config),
    )


def read_run(path: str | os.PathLike, checkpoint: str) -> Run:
    """Reads a run folder.

    Raises:
      FileNotFoundError: no run there, or no checkpoint.
      ValueError: settings or arrays that do not fit this version.
    """
    folder = pathlib.Path(path)
    config = _read_config(folder)
    screening = kind_of(config.model).name == "semt"
    try:
        settings = (volume_settings if screening else eye_settings)(config)
    except AttributeError as error:
        raise ValueError(
            f"{folder / 'config.json'}: missing setting: {error.name}; the file was changed or is "
            "damaged"
        ) from error
    variables, step = restore_variables(
        folder / "checkpoints", variable_shapes(config.model), which=checkpoint
    )
    if screening:
        threshold = validation_threshold(folder / "validation.csv", step)
        return Run(str(folder), settings, variables, step, threshold=threshold)
    calibration = read_calibration(folder, step)
    return Run(str(folder), settings, variables, step, calibration=calibration)


def read_weights(
    path: str | os.PathLike, model: IMOConfig | None = None, image_size: int | None = None
) -> Run:
    """The authors' weights: a file that holds a whole IMO network under the released names.

    Args:
      path: `.pth`, `.safetensors` or `.npz`.
      model: config of the network; None = what the file tells, see `weights.imo_config`.
      image_size: side of the working square in pixels; None = the released 1024.

    Raises:
      ImportError: a PyTorch file and no torch.
      ValueError: it does not fit; names the file and what to do.
    """
    told = {} if model is None else dataclasses.asdict(model)
    config, variables = imo_of_file(path, **told)
    settings = EyeSettings(
        model=config,
        image_size=image_size or RELEASED_SIZE,
        oct_shape=(*RELEASED_OCT, config.oct_slices) if config.use_oct else None,
        crop_to_field=True,
        samples=4 if diffuses(config) else 1,
        mirror=False,
        batch_size=1,  # of 1024 pixels and four samples: some 5 GB
        grade_names=default_grade_names(config.num_grades),
    )
    return Run(str(path), settings, variables, 0, calibration=NOT_TRAINED_HERE)


def read_calibration(folder: pathlib.Path, step: int) -> EyeCalibration | str:
    """What validation taught of the errors of a run's checkpoint; or why there is nothing.

    Raises:
      ValueError: the file is none of this version.
    """
    file = folder / CALIBRATION_FILE
    if not file.exists():
        return NOT_MEASURED
    try:
        found = EyeCalibration.from_json(json.loads(file.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file}: no calibration of this version ({error})") from error
    if found.step != step:
        return f"nothing: step {found.step} was measured, this is step {step}"
    return found


def validation_threshold(log: pathlib.Path, step: int) -> float | None:
    """The threshold that validation chose at a step, by F1; None where the log has none."""
    if not log.exists():
        return None
    with log.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["step"]) == step]
    return float(rows[0]["image_threshold"]) if rows and rows[0].get("image_threshold") else None


def _read_config(folder: pathlib.Path) -> Any:
    file = folder / "config.json"
    if not file.exists():
        raise FileNotFoundError(f"{folder} holds no trained run (no config.json)")
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        model = saved.from_dict(KINDS[saved.kind_of(values)].config, values["model"])
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    parts = {n: types.SimpleNamespace(**v) for n, v in values.items() if isinstance(v, dict)}
    return types.SimpleNamespace(**(values | parts | {"model": model}))

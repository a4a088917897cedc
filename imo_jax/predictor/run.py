"""A trained run as its folder tells of it: what network, how it wants its eyes, its variables."""

import csv
import dataclasses
import json
import os
import pathlib
import types
from typing import Any

from data_pipelines.load.screening_grid import ScreeningGrid
from imo_jax.checkpoints import restore_variables
from imo_jax.models.registry import KINDS, diffuses, kind_of
from imo_jax.models.variables import variable_shapes
from imo_jax.predictor.eyes import EyeSettings
from imo_jax.predictor.volumes import VolumeSettings
from imo_jax.settings import saved


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained network.

    Attributes:
      where: folder or file it was read from.
      settings: how it is asked.
      variables: {"params", "batch_stats"} numpy arrays.
      step: of the checkpoint.
      threshold: of a screening run, what validation chose at that step; None = not known.
    """

    where: str
    settings: EyeSettings | VolumeSettings
    variables: dict[str, Any]
    step: int
    threshold: float | None = None


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
        batch_size=config.evaluation.eval_batch_size,
        square_diameters=squares.square_diameters if in_squares else None,
    )


def oct_shape(config: Any) -> tuple[int, int, int] | None:
    """(depth, width, slices) of the OCT grid; None of a network without OCT."""
    if not config.model.use_oct:
        return None
    return config.data.oct_depth, config.data.oct_width, config.model.oct_slices


def volume_settings(config: Any) -> VolumeSettings:
    """How the network of a screening run is asked, from the run's configuration."""
    data = config.data
    if config.model.input == "cube":
        grid = ScreeningGrid(None, (data.cube_slices, data.cube_depth, data.cube_width))
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
        batch_size=config.evaluation.eval_batch_size,
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
    settings = (volume_settings if screening else eye_settings)(config)
    variables, step = restore_variables(
        folder / "checkpoints", variable_shapes(config.model), which=checkpoint
    )
    threshold = validation_threshold(folder / "validation.csv", step) if screening else None
    return Run(str(folder), settings, variables, step, threshold)


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

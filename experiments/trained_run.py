"""A trained run, restored from its folder alone."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from data_pipelines.bad_file import describe
from experiments.config import EyeRunConfig
from experiments.run_folder import RunFolder
from experiments.runtime import UserError
from experiments.saved_config import read_config, with_changes
from imo_jax.checkpoints import CheckpointMismatch, restore_variables
from imo_jax.models.variables import variable_shapes
from imo_jax.predictor.calibration import EyeCalibration
from imo_jax.predictor.eyes import NOT_MEASURED, EyePredictor
from imo_jax.predictor.load import predictor_of
from imo_jax.predictor.run import Run, eye_settings, read_calibration


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """What evaluation and prediction need.

    Attributes:
      folder: of the run.
      config: it was trained with, evaluation settings replaced by what the user gives now.
      variables: {"params", "batch_stats"} numpy arrays.
      step: of the checkpoint.
      baseline: see scoring.fit_baseline; {} where there was nothing to fit.
      calibration: what validation taught of its errors; or why there is none.
    """

    folder: RunFolder
    config: EyeRunConfig
    variables: dict[str, Any]
    step: int
    baseline: dict[str, np.ndarray]
    calibration: EyeCalibration | str = NOT_MEASURED

    def predictor(self) -> EyePredictor:
        """What `imo_jax.load` gives of the run's folder, with the settings given now."""
        return predictor_of(
            [
                Run(
                    str(self.folder.root),
                    eye_settings(self.config),
                    self.variables,
                    self.step,
                    calibration=self.calibration,
                )
            ]
        )


def restore_run(
    workdir: str, given: dict[str, Any], checkpoint: str, config_class: type[EyeRunConfig]
) -> TrainedRun:
    """Restores a run on whatever devices there are.

    Args:
      workdir: folder of the run.
      given: settings the user gives now; only those that move nothing learned may differ.
      checkpoint: "best" or "last".
      config_class: of the kind of run that is expected there.

    Raises:
      UserError: no such run, a setting that cannot be changed any more, or a checkpoint that does
        not fit.
    """
    folder = RunFolder(pathlib.Path(workdir))
    config = with_changes(read_config(folder, config_class), given)
    try:
        variables, step = restore_variables(
            folder.checkpoints, variable_shapes(config.model), which=checkpoint
        )
    except (FileNotFoundError, CheckpointMismatch) as error:
        raise UserError(str(error)) from error
    baseline = read_baseline(folder)
    try:
        calibration = read_calibration(folder.root, step)
    except ValueError as error:
        raise UserError(str(error)) from error
    return TrainedRun(folder, config, variables, step, baseline, calibration)


def read_baseline(folder: RunFolder) -> dict[str, np.ndarray]:
    """What scoring.fit_baseline fitted; {} where nothing was.

    Raises:
      UserError: the file is damaged.
    """
    if not folder.baseline.exists():
        return {}
    try:
        with np.load(folder.baseline, allow_pickle=False) as arrays:
            return dict(arrays)
    except Exception as error:  # damaged archives raise many kinds
        raise UserError(
            f"{folder.baseline} is damaged ({describe(error)}); without it there is no baseline to "
            "compare with, the network is whole: delete the file and give the same command again"
        ) from error

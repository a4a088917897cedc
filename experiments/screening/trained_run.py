"""A trained screening run, restored from its folder alone."""

import dataclasses
import pathlib
from typing import Any

from experiments.run_folder import RunFolder
from experiments.runtime import UserError
from experiments.saved_config import read_config, with_changes
from experiments.screening.config import ScreeningConfig
from imo_jax.checkpoints import CheckpointMismatch, restore_variables
from imo_jax.models.variables import variable_shapes
from imo_jax.predictor.load import predictor_of
from imo_jax.predictor.run import Run, validation_threshold, volume_settings
from imo_jax.predictor.volumes import VolumePredictor


@dataclasses.dataclass(frozen=True)
class TrainedScreening:
    """What evaluation and prediction need.

    Attributes:
      folder: of the run.
      config: it was trained with, evaluation settings replaced by what the user gives now.
      variables: {"params", "batch_stats"} numpy arrays.
      step: of the checkpoint.
    """

    folder: RunFolder
    config: ScreeningConfig
    variables: dict[str, Any]
    step: int

    def predictor(self) -> VolumePredictor:
        """What `imo_jax.load` gives of the run's folder, with the settings given now."""
        run = Run(
            str(self.folder.root),
            volume_settings(self.config),
            self.variables,
            self.step,
            validation_threshold(self.folder.validation, self.step),
        )
        return predictor_of([run])


def restore_screening(
    workdir: str | pathlib.Path, given: dict[str, Any], checkpoint: str = "best"
) -> TrainedScreening:
    """Restores a run on whatever devices there are.

    Args:
      workdir: folder of the run.
      given: settings the user gives now; only those that move nothing learned may differ.
      checkpoint: "best" or "last".

    Raises:
      UserError: no such run, a setting that cannot be changed any more, or a checkpoint that does
        not fit.
    """
    folder = RunFolder(pathlib.Path(workdir))
    config = with_changes(read_config(folder, ScreeningConfig), given)
    try:
        variables, step = restore_variables(
            folder.checkpoints, variable_shapes(config.model), which=checkpoint
        )
    except (FileNotFoundError, CheckpointMismatch) as error:
        raise UserError(str(error)) from error
    return TrainedScreening(folder, config, variables, step)

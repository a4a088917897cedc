"""What a run's folder holds, read back: settings, compared and changed where harmless; network."""

import dataclasses
import pathlib
from typing import Any, TypeVar

import numpy as np

from data_pipelines.bad_file import describe
from experiments.run_folder import RunFolder, read_json
from experiments.runtime import UserError, say
from imo_jax.checkpoints import CheckpointMismatch, restore_variables, saved_steps
from imo_jax.metrics.grade_map import GradeMap
from imo_jax.models.variables import variable_shapes
from imo_jax.npz import read_npz
from imo_jax.predictor.calibration import EyeCalibration
from imo_jax.predictor.eyes import NOT_MEASURED, EyePredictor
from imo_jax.predictor.load import predictor_of
from imo_jax.predictor.run import (
    Run,
    eye_settings,
    read_calibration,
    validation_threshold,
    volume_settings,
)
from imo_jax.predictor.volumes import VolumePredictor
from imo_jax.settings.fields import CONTINUE, EVALUATE, changeable, differences, replace_leaves
from imo_jax.settings.saved import SAME_DRAWS, from_json

Config = TypeVar("Config")


@dataclasses.dataclass(frozen=True)
class Restored:
    """What evaluation and prediction need.

    Attributes:
      folder: of the run.
      config: it was trained with, evaluation settings replaced by what the user gives now.
      variables: {"params", "batch_stats"} numpy arrays.
      step: of the checkpoint.
      learned_from: the manifest that it was trained on.
    """

    folder: RunFolder
    config: Any
    variables: dict[str, Any]
    step: int
    learned_from: str


@dataclasses.dataclass(frozen=True)
class TrainedRun(Restored):
    """Of a run on eyes.

    Attributes:
      baseline: see scoring.fit_baseline; {} where there was nothing to fit.
      calibration: what validation taught of its errors; or why there is none.
      grades: how its grades are scored; None = as they are.
    """

    baseline: dict[str, np.ndarray]
    calibration: EyeCalibration | str = NOT_MEASURED
    grades: GradeMap | None = None

    def predictor(self) -> EyePredictor:
        """What `imo_jax.load` gives of the run's folder, with the settings given now."""
        where, settings = str(self.folder.root), eye_settings(self.config)
        run = Run(where, settings, self.variables, self.step, calibration=self.calibration)
        return predictor_of([run])


@dataclasses.dataclass(frozen=True)
class TrainedScreening(Restored):
    """Of a screening run."""

    def predictor(self) -> VolumePredictor:
        """What `imo_jax.load` gives of the run's folder, with the settings given now."""
        where, settings = str(self.folder.root), volume_settings(self.config)
        threshold = validation_threshold(self.folder.validation, self.step)
        return predictor_of([Run(where, settings, self.variables, self.step, threshold)])


def restore_run(
    workdir: str | pathlib.Path, given: dict[str, Any], checkpoint: str, config_class: type
) -> TrainedRun:
    """Restores a run on eyes on whatever devices there are.

    Args:
      workdir: folder of the run.
      given: settings the user gives now; only those that move nothing learned may differ.
      checkpoint: "best" or "last".
      config_class: of the kind of run that is expected there.

    Raises:
      UserError: no such run, a setting that cannot be changed any more, or a checkpoint that does
        not fit.
    """
    parts = _restored(workdir, given, checkpoint, config_class)
    baseline = read_baseline(parts["folder"])
    try:
        calibration = read_calibration(parts["folder"].root, parts["step"])
    except ValueError as error:
        raise UserError(str(error)) from error
    return TrainedRun(**parts, baseline=baseline, calibration=calibration)


def restore_screening(
    workdir: str | pathlib.Path, given: dict[str, Any], checkpoint: str, config_class: type
) -> TrainedScreening:
    """Restores a screening run; arguments and errors as restore_run."""
    return TrainedScreening(**_restored(workdir, given, checkpoint, config_class))


def _restored(
    workdir: str | pathlib.Path, given: dict[str, Any], checkpoint: str, config_class: type
) -> dict[str, Any]:
    """The attributes of a Restored."""
    folder = RunFolder(pathlib.Path(workdir))
    learned = read_config(folder, config_class)
    config = with_changes(learned, given)
    try:
        variables, step = restore_variables(
            folder.checkpoints, variable_shapes(config.model), which=checkpoint
        )
    except (FileNotFoundError, CheckpointMismatch) as error:
        raise UserError(str(error)) from error
    return {
        "folder": folder,
        "config": config,
        "variables": variables,
        "step": step,
        "learned_from": learned.data.manifest,
    }


def read_baseline(folder: RunFolder) -> dict[str, np.ndarray]:
    """What scoring.fit_baseline fitted; {} where nothing was.

    Raises:
      UserError: the file is damaged.
    """
    if not folder.baseline.exists():
        return {}
    try:
        return read_npz(folder.baseline)
    except Exception as error:  # damaged archives raise many kinds
        raise UserError(
            f"{folder.baseline} is damaged ({describe(error)}); without it there is no baseline to "
            "compare with, the network is whole: delete the file and give the same command again"
        ) from error


def read_config(folder: RunFolder, config_class: type[Config]) -> Config:
    """The configuration a run was started with.

    Raises:
      UserError: there is none, or it is not one of this program.
    """
    if not folder.config.exists():
        raise UserError(
            f"{folder.root} holds no trained run (no {folder.config.name}); train first, or name "
            "the folder of a trained run with --workdir"
        )
    try:
        return from_json(config_class, read_json(folder.config), config_class.kind)
    except ValueError as error:
        raise UserError(f"{folder.config}: {error}") from error


def changed_settings(folder: RunFolder, config: Any) -> list[str] | None:
    """In what a folder's run differs from the settings with which it is to go on, a line each.

    Returns None where nothing was learned yet: such a folder holds no run.
    """
    if not folder.config.exists() or not saved_steps(folder.checkpoints):
        return None
    saved = read_config(folder, type(config))
    return differences(saved, config, ignore=changeable(type(config), CONTINUE))


def refuse_other_config(
    workdir: str | pathlib.Path, config: Any, flag: str = "--workdir"
) -> None:
    """UserError where the folder holds a run of other settings, with the differences.

    A folder in which nothing was learned yet holds no run.

    Args:
      workdir: folder of a run, perhaps empty.
      config: settings of the run that is to be made or continued there.
      flag: with which the user names another folder.
    """
    folder = RunFolder(pathlib.Path(workdir))
    changed = changed_settings(folder, config)
    if changed is None:
        return
    if changed:
        raise UserError(
            f"{folder.root} holds a run with other settings (there -> now):\n  "
            + "\n  ".join(changed)
            + f"\nchoose another {flag}, or give the same settings to go on with it"
        )
    if read_json(folder.config).get("form", 1) < SAME_DRAWS and not is_done(folder, config):
        say(
            f"{folder.root} was begun by an earlier version, which augmented by other random numbers: "
            "the training goes on, but not to the same parameters as there"
        )


def is_done(folder: RunFolder, config: Any) -> bool:
    """Whether the last checkpoint of a run is that of its last step."""
    return max(saved_steps(folder.checkpoints)) >= config.loop.train_steps


def with_changes(config: Config, given: dict[str, Any]) -> Config:
    """The saved `config` with the settings given now.

    Raises:
      UserError: a bad value, or settings that differ but are fixed by the training (listed).
    """
    try:
        asked = replace_leaves(config, given)
    except ValueError as error:
        raise UserError(str(error)) from error
    if fixed := differences(config, asked, ignore=changeable(type(config), EVALUATE)):
        raise UserError(
            "these settings were fixed when the run was trained:\n  " + "\n  ".join(fixed)
        )
    return asked


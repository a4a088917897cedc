"""A trained run, restored from its folder alone."""

import dataclasses
import functools
import pathlib
from typing import Any

import jax
import numpy as np

from experiments.config import EyeRunConfig
from experiments.networks import kind
from experiments.run_folder import RunFolder
from experiments.runtime import UserError
from experiments.saved_config import read_config, with_changes
from imo_jax.checkpoints import CheckpointMismatch, restore_variables


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """What evaluation and prediction need.

    Attributes:
      folder: of the run.
      config: it was trained with, evaluation settings replaced by what the user gives now.
      variables: {"params", "batch_stats"} numpy arrays.
      step: of the checkpoint.
      baseline: see scoring.fit_baseline; {} where there was nothing to fit.
    """

    folder: RunFolder
    config: EyeRunConfig
    variables: dict[str, Any]
    step: int
    baseline: dict[str, np.ndarray]


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
    config = with_changes(read_config(folder, config_class), given, CHANGEABLE)
    try:
        variables, step = restore_variables(
            folder.checkpoints, variable_shapes(config), which=checkpoint
        )
    except (FileNotFoundError, CheckpointMismatch) as error:
        raise UserError(str(error)) from error
    baseline = {}
    if folder.baseline.exists():
        with np.load(folder.baseline, allow_pickle=False) as arrays:
            baseline = dict(arrays)
    return TrainedRun(folder, config, variables, step, baseline)


# Settings of a trained run that evaluation and prediction may change.
CHANGEABLE = frozenset(
    {"manifest", "data_root", "eval_samples", "eval_batch_size", "bootstrap", "overlays",
     "sampling_steps", "time_difference", "start_time", "label_embedding"}
)  # fmt: skip


def variable_shapes(config: EyeRunConfig) -> Any:
    """Names, shapes and dtypes of the network's variables, without computing any."""
    return jax.eval_shape(functools.partial(initial_variables, config), jax.random.key(0))


def initial_variables(config: EyeRunConfig, key: jax.Array) -> dict[str, Any]:
    """The network's variables before training, drawn with the run's key."""
    # Parameters do not depend on the sizes of the images: small ones trace quickly.
    fundus = np.zeros((1, 32, 32, 3), np.float32)
    volume = None
    if config.model.use_oct:
        volume = np.zeros((1, 8, 8, config.model.oct_slices), np.float32)
    return kind(config.model).init(config.model, key, fundus, volume)

"""Weights that others trained as the folder of a run, which evaluates, predicts and trains on."""

import dataclasses
import functools
import pathlib
from typing import Any

import jax

from experiments.config import EyeRunConfig, RunConfig, SegmenterRunConfig
from experiments.program_settings import configured
from experiments.run_folder import RunFolder
from experiments.run_lock import locked
from experiments.runtime import UserError, say
from experiments.saved_run import refuse_other_config
from experiments.training import first_state, optimiser_of, write_config
from imo_jax.checkpoints import Checkpoints
from imo_jax.labels import default_grade_names
from imo_jax.models.imo.config import IMOConfig
from imo_jax.models.registry import kind_of
from imo_jax.models.variables import initial_variables
from imo_jax.train.initial import draw
from imo_jax.train.selection import Selection
from imo_jax.train.state import to_items
from imo_jax.weights.files import read_state_dict
from imo_jax.weights.imo_config import imo_of_file
from imo_jax.weights.segmenters import load_segmenter

Given = dict[str, Any]


def imo_run(preset: RunConfig, given: Given, weights: str) -> tuple[RunConfig, dict]:
    """Settings and variables of a run of the authors' weights.

    Args:
      preset: settings of the run that may go on; its network is replaced by the file's.
      given: settings that the user gives; those of the network tell what the file does not.
      weights: file under the released names, see `imo_jax.weights.imo_config.imo_of_file`.

    Raises:
      UserError: the file does not fit.
    """
    names = {field.name for field in dataclasses.fields(IMOConfig)}
    told = {name: value for name, value in given.items() if name in names}
    try:
        model, variables = imo_of_file(weights, **told)
    except (OSError, ImportError, ValueError) as error:
        raise UserError(str(error)) from error
    names = default_grade_names(model.num_grades)
    config = configured(preset, {**dataclasses.asdict(model), "grade_names": names}, given)
    if len(config.data.grade_names) != model.num_grades:  # the manifest is of other grades
        config = config.graded(names)
    return config, variables


def segmenter_run(
    preset: SegmenterRunConfig, given: Given, weights: str
) -> tuple[SegmenterRunConfig, dict]:
    """Settings and variables of a run of a segmenter with its head, as a library saves it.

    Args:
      preset, given: settings of the run; its network and size must be the file's.
      weights: file of background, rim and cup under a naming of `weights.segmenters.SEGMENTERS`.

    Raises:
      UserError: the file does not fit.
    """
    config = configured(preset, {}, given)
    variables = draw(functools.partial(initial_variables, config.model), config.seed)
    try:
        variables, line = load_segmenter(read_state_dict(weights), variables)
    except (OSError, ImportError, ValueError) as error:
        raise UserError(f"{weights}: {error}") from error
    say(f"{weights}: {line}")
    return config, variables


def run_import(config: EyeRunConfig, variables: dict, weights: str, workdir: str) -> RunFolder:
    """Writes a run folder that holds a checkpoint of step 0.

    `--mode=train` with the same settings goes on from there.

    Args:
      config, variables: from imo_run or segmenter_run.
      weights: their file, to be named.
      workdir: folder of the run; empty, or with the same settings and no checkpoint.

    Raises:
      UserError: the settings are of two networks, or the folder holds a run.
    """
    if config.two_stages:
        raise UserError(
            f"{weights} holds one network, and region=disc needs two; give --region=photograph"
        )
    folder = RunFolder(pathlib.Path(workdir))
    with locked(folder.root), Checkpoints(folder.checkpoints) as checkpoints:
        refuse_other_config(workdir, config)
        if checkpoints.steps():
            raise UserError(f"{workdir} holds a trained run already; choose another --workdir")
        write_config(config, folder)
        optimiser, _ = optimiser_of(config, kind_of(config.model).backbone)
        # As numpy arrays: no program is compiled to cut each parameter from those that are packed.
        state = jax.device_get(first_state(config, variables, optimiser))
        checkpoints.save(0, progress=dataclasses.asdict(Selection()), **to_items(state))
    say(f"{weights} is now the run {workdir}; evaluate, predict or train it on from there")
    return folder

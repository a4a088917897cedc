"""The authors' weights as the folder of a run, which evaluates, predicts and trains on."""

import dataclasses
import pathlib
from typing import Any

from experiments.config import RunConfig
from experiments.program_settings import configured
from experiments.run_folder import RunFolder
from experiments.run_lock import locked
from experiments.runtime import UserError, say
from experiments.saved_run import refuse_other_config
from experiments.training import first_state, optimiser_of, write_config
from imo_jax.checkpoints import Checkpoints
from imo_jax.models.imo.config import IMOConfig
from imo_jax.models.registry import kind_of
from imo_jax.train.selection import Selection
from imo_jax.train.state import to_items
from imo_jax.weights.imo_config import imo_of_file


def run_import(preset: RunConfig, given: dict[str, Any], weights: str, workdir: str) -> RunFolder:
    """Writes a run folder that holds a checkpoint of step 0 with the weights of a file.

    `--mode=train` with the same settings goes on from there.

    Args:
      preset: settings of the run that may go on; its network is replaced by the file's.
      given: settings that the user gives; those of the network tell what the file does not.
      weights: file under the released names, see `imo_jax.weights.imo_config.imo_of_file`.
      workdir: folder of the run; empty, or with the same settings and no checkpoint.

    Raises:
      UserError: the file does not fit, or the folder holds a run.
    """
    names = {field.name for field in dataclasses.fields(IMOConfig)}
    told = {name: value for name, value in given.items() if name in names}
    try:
        model, variables = imo_of_file(weights, **told)
    except (OSError, ImportError, ValueError) as error:
        raise UserError(str(error)) from error
    config = configured(preset, dataclasses.asdict(model), given)
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
        state = first_state(config, variables, optimiser_of(config, kind_of(model).backbone)[0])
        checkpoints.save(0, progress=dataclasses.asdict(Selection()), **to_items(state))
    say(f"{weights} is now the run {workdir}; evaluate, predict or train it on from there")
    return folder


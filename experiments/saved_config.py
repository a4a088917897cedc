"""The settings a run was started with: read back, compared, changed where that is harmless."""

import pathlib
from typing import Any, TypeVar

from experiments.run_folder import RunFolder, read_json
from experiments.runtime import UserError
from imo_jax.checkpoints import saved_steps
from imo_jax.settings.fields import CONTINUE, EVALUATE, changeable, differences, replace_leaves
from imo_jax.settings.saved import from_json

Config = TypeVar("Config")


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


def refuse_other_config(workdir: str | pathlib.Path, config: Any) -> None:
    """UserError where the folder holds a run of other settings, with the differences.

    A folder in which nothing was learned yet holds no run.

    Args:
      workdir: folder of a run, perhaps empty.
      config: settings of the run that is to be made or continued there.
    """
    folder = RunFolder(pathlib.Path(workdir))
    if not folder.config.exists() or not saved_steps(folder.checkpoints):
        return
    saved = read_config(folder, type(config))
    if changed := differences(saved, config, ignore=changeable(type(config), CONTINUE)):
        raise UserError(
            f"{folder.root} holds a run with other settings (there -> now):\n  "
            + "\n  ".join(changed)
            + "\nchoose another --workdir, or give the same settings to go on with it"
        )


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

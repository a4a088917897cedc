"""The settings a run was started with: read back, compared, changed where that is harmless."""

import pathlib
from typing import Any, TypeVar

from experiments import flag_fields
from experiments.run_folder import RunFolder, read_json
from experiments.runtime import UserError

Config = TypeVar("Config")


def read_config(folder: RunFolder, kind: type[Config]) -> Config:
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
        return flag_fields.from_dict(kind, read_json(folder.config))
    except (ValueError, TypeError) as error:
        raise UserError(f"{folder.config}: {error}") from error


def refuse_other_config(workdir: str | pathlib.Path, config: Any, free: frozenset[str]) -> None:
    """UserError where the folder holds a run of other settings, with the differences.

    Args:
      workdir: folder of a run, perhaps empty.
      config: settings of the run that is to be made or continued there.
      free: settings that may differ, since they move nothing that is learned.
    """
    folder = RunFolder(pathlib.Path(workdir))
    if not folder.config.exists():
        return
    saved = read_config(folder, type(config))
    if changed := flag_fields.differences(saved, config, ignore=free):
        raise UserError(
            f"{folder.root} holds a run with other settings (there -> now):\n  "
            + "\n  ".join(changed)
            + "\nchoose another --workdir, or give the same settings to go on with it"
        )


def with_changes(config: Config, given: dict[str, Any], changeable: frozenset[str]) -> Config:
    """The saved `config` with the settings given now.

    Raises:
      UserError: listing the settings that differ but are fixed by the training.
    """
    asked = flag_fields.replace_leaves(config, given)
    if fixed := flag_fields.differences(config, asked, ignore=changeable):
        raise UserError(
            "these settings were fixed when the run was trained:\n  " + "\n  ".join(fixed)
        )
    return asked

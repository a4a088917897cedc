"""A folder that holds a run of an earlier version: it goes on, with a word."""

import dataclasses

import pytest

from experiments.config import RunConfig
from experiments.run_folder import RunFolder
from experiments.runtime import UserError
from experiments.saved_run import refuse_other_config
from imo_jax.atomic_files import write_json
from imo_jax.checkpoints import ITEMS
from imo_jax.settings.saved import FORM, to_json
from imo_jax.train.loop import LoopConfig

CONFIG = RunConfig(loop=LoopConfig(train_steps=20))


def begun(root, form, step):
    """A run's folder as far as it is looked at before a training."""
    folder = RunFolder(root)
    write_json(folder.config, to_json(CONFIG, "imo") | {"form": form})
    for item in ITEMS:
        (folder.checkpoints / str(step) / item).mkdir(parents=True)
    return root


@pytest.mark.parametrize(
    ("form", "step", "told"), [(2, 10, True), (FORM, 10, False), (2, 20, False)]
)
def test_other_random_numbers_are_told_where_a_training_goes_on(tmp_path, capsys, form, step, told):
    refuse_other_config(begun(tmp_path, form, step), CONFIG)
    said = capsys.readouterr().err
    assert ("augmented by other random numbers" in said) == told


def test_other_settings_are_refused(tmp_path):
    other = dataclasses.replace(CONFIG, seed=1)
    with pytest.raises(UserError, match="seed: 0 -> 1"):
        refuse_other_config(begun(tmp_path, FORM, 10), other)

"""Checkpoints: what is kept, what a killed process leaves, what does not fit."""

import errno
import logging
import shutil
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.checkpoints import CheckpointMismatch, Checkpoints, restore_variables

ITEMS = ("variables", "training", "progress")


def arrays(step):
    return {
        "variables": {"params": {"w": np.full((2, 3), step, np.float32)}, "batch_stats": {}},
        "training": {"step": np.asarray(step, np.int32), "opt_state": {"0": {"m": np.ones(2)}}},
    }


def save(checkpoints, step, best=None):
    checkpoints.save(step, progress={"best_step": best, "value": 0.1 + 0.2}, **arrays(step))


def make(directory, steps, **options):
    with Checkpoints(directory, **options) as checkpoints:
        for step in steps:
            save(checkpoints, step, best=steps[0])


def test_round_trip(tmp_path):
    make(tmp_path, [5])
    with Checkpoints(tmp_path) as checkpoints:
        step, items = checkpoints.restore_last()
    assert step == 5
    assert items["progress"] == {"best_step": 5, "value": 0.1 + 0.2}
    w = items["variables"]["params"]["w"]
    assert isinstance(w, np.ndarray) and w.dtype == np.float32 and (w == 5).all()
    assert items["training"]["step"].dtype == np.int32 and items["training"]["step"].shape == ()


def test_bfloat16_comes_back(tmp_path):
    tree = {"w": np.asarray(jnp.arange(3, dtype=jnp.bfloat16))}
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, variables=tree, training=tree, progress={"best_step": None})
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore(1, "variables")["w"].dtype == jnp.bfloat16


@pytest.mark.parametrize(("keep_last", "kept"), [(1, [1, 4]), (2, [1, 3, 4])])
def test_keeps_the_last_and_the_best(tmp_path, keep_last, kept):
    make(tmp_path, [1, 2, 3, 4], keep_last=keep_last)
    assert sorted(path.name for path in tmp_path.iterdir()) == [str(step) for step in kept]
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.steps() == kept
        assert checkpoints.best_step() == 1
        save(checkpoints, 5, best=5)  # after a restart too, and the old best goes
    assert restore_variables(tmp_path)[1] == 5
    with Checkpoints(tmp_path) as checkpoints:
        assert 1 not in checkpoints.steps()


def test_numbers_are_sorted_as_numbers(tmp_path):
    make(tmp_path, [9, 10])
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore_last()[0] == 10


def test_a_step_can_be_saved_anew(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        save(checkpoints, 3, best=None)
        save(checkpoints, 3, best=3)
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.steps() == [3] and checkpoints.best_step() == 3


def test_nothing_there(tmp_path):
    with Checkpoints(tmp_path / "new") as checkpoints:
        assert checkpoints.restore_last() is None
        assert checkpoints.best_step() is None
    with pytest.raises(FileNotFoundError, match="no complete checkpoint"):
        restore_variables(tmp_path / "new")
    with pytest.raises(FileNotFoundError, match="trained"):
        restore_variables(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def lose_an_item(folder):
    shutil.rmtree(folder / "training")


def lose_the_data(folder):
    for path in (folder / "variables").rglob("*"):
        if path.is_file():
            path.unlink()


def cut_files(folder):
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("harm", [empty, lose_an_item, lose_the_data, cut_files])
def test_what_is_broken_is_passed_over(tmp_path, harm):
    make(tmp_path, [1, 2])
    harm(tmp_path / "2")
    (tmp_path / "3.orbax-checkpoint-tmp").mkdir()  # left by a kill during a save
    with warnings.catch_warnings(record=True) as caught, Checkpoints(tmp_path) as checkpoints:
        warnings.simplefilter("always")
        assert checkpoints.restore_last()[0] == 1
        assert checkpoints.steps() == [1]
        save(checkpoints, 2, best=1)  # the run comes by again
        save(checkpoints, 3, best=1)
    assert restore_variables(tmp_path, which="last")[1] == 3
    assert (tmp_path / "unreadable-2").is_dir()  # nothing is deleted that may be of use
    assert not (tmp_path / "3.orbax-checkpoint-tmp").exists()
    said = [str(w.message) for w in caught if "going back" in str(w.message)]
    assert len(said) == (0 if harm in (empty, lose_an_item) else 1)


def test_a_reader_changes_nothing(tmp_path):
    make(tmp_path, [1, 2])
    lose_an_item(tmp_path / "2")
    (tmp_path / "3.orbax-checkpoint-tmp").mkdir()  # a save that is under way
    before = sorted(tmp_path.rglob("*"))
    assert restore_variables(tmp_path, which="last")[1] == 1
    assert sorted(tmp_path.rglob("*")) == before


KILLED_WHILE_SAVING = """
import os, signal, sys, threading
import numpy as np
from imo_jax.checkpoints import Checkpoints
delay, directory = float(sys.argv[1]), sys.argv[2]
checkpoints = Checkpoints(directory, keep_last=1)
big = {"w": np.zeros((3_000_000,), np.float32)}
for step in range(1, 100):
    if step == 3:
        threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
    checkpoints.save(step, variables=big, training=big, progress={"best_step": None})
"""


def test_killed_while_saving_and_deleting(tmp_path):
    command = [sys.executable, "-c", KILLED_WHILE_SAVING, "0.15", str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == -9
    with warnings.catch_warnings(), Checkpoints(tmp_path) as checkpoints:
        warnings.simplefilter("error")
        step, items = checkpoints.restore_last()
        assert step >= 1 and items["variables"]["w"].shape == (3_000_000,)
        save(checkpoints, step + 1)
    assert restore_variables(tmp_path, which="last")[1] == step + 1


def test_differences_are_listed(tmp_path):
    make(tmp_path, [1])
    like = {
        "params": {"w": jax.ShapeDtypeStruct((2, 4), jnp.float32), "b": np.zeros(3, np.float32)},
        "batch_stats": {},
    }
    with pytest.raises(CheckpointMismatch) as error:
        restore_variables(tmp_path, like)
    assert str(error.value).splitlines()[1:] == [
        "  missing in the checkpoint: params/b",
        "  params/w: float32[2, 3] in the checkpoint, float32[2, 4] expected",
    ]
    with pytest.raises(CheckpointMismatch, match="only in the checkpoint: params/w"):
        restore_variables(tmp_path, {"params": {}, "batch_stats": {}})
    with pytest.raises(CheckpointMismatch, match="bfloat16"):
        restore_variables(tmp_path, {"params": {"w": jnp.zeros((2, 3), jnp.bfloat16)}})
    good = {"params": {"w": jnp.zeros((2, 3))}, "batch_stats": {}}
    assert restore_variables(tmp_path, good)[1] == 1


def test_which(tmp_path):
    make(tmp_path, [1, 2])
    assert restore_variables(tmp_path, which="best")[1] == 1
    assert restore_variables(tmp_path, which="last")[1] == 2
    with pytest.raises(ValueError, match="best"):
        restore_variables(tmp_path, which="newest")
    with Checkpoints(tmp_path / "b") as checkpoints:
        save(checkpoints, 4, best=None)
    assert restore_variables(tmp_path / "b", which="best")[1] == 4  # none was validated


def test_says_nothing(tmp_path, caplog, capfd):
    with caplog.at_level(logging.WARNING):
        make(tmp_path, [1, 2, 3])
        restore_variables(tmp_path)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def damaged(tmp_path, steps):
    """A folder of two checkpoints, of which some have files cut short."""
    with Checkpoints(tmp_path / "c") as checkpoints:
        for step in (1, 2):
            checkpoints.save(
                step,
                variables={"params": {"w": np.full(3, step, np.float32)}},
                training={"step": np.int32(step)},
                progress={"best_step": 2},
            )
    for step in steps:
        for file in (tmp_path / "c" / str(step)).rglob("*"):
            if file.is_file() and file.stat().st_size > 20:
                file.write_bytes(file.read_bytes()[:10])
    return tmp_path / "c"


@pytest.mark.parametrize("which", ["best", "last"])
def test_a_damaged_checkpoint_is_said_and_another_one_used(tmp_path, which):
    with pytest.warns(UserWarning, match="2 cannot be read"):
        variables, step = restore_variables(damaged(tmp_path, [2]), which=which)
    assert step == 1 and (variables["params"]["w"] == 1).all()


def test_where_no_checkpoint_can_be_read_it_is_said(tmp_path):
    folder = damaged(tmp_path, [1, 2])
    with pytest.warns(UserWarning), pytest.raises(CheckpointMismatch, match="no checkpoint can be"):
        restore_variables(folder)


def test_a_full_disk_is_the_systems_own_error(tmp_path, monkeypatch):
    """As tensorstore words it; with an error under way, closing raises no second one."""
    checkpoints = Checkpoints(tmp_path / "c")

    def full():
        raise ValueError("RESOURCE_EXHAUSTED: Error writing ... [os_error_code='28']")

    monkeypatch.setattr(checkpoints._manager, "wait_until_finished", full)
    with pytest.raises(OSError) as raised, checkpoints:
        checkpoints.wait()
    assert raised.value.errno == errno.ENOSPC and raised.value.filename == str(checkpoints.directory)

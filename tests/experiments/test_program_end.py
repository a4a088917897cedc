"""How programs end: exit codes and one sentence; one training at a time in a folder."""

import dataclasses
import errno
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import jax
import programs
import pytest
from absl import flags

from experiments import flag_fields, program_end, run_import, run_train, runtime
from experiments.config import RunConfig
from experiments.program_end import exit_code
from experiments.run_folder import RunFolder
from experiments.run_lock import LOCK, locked
from experiments.runtime import UserError
from experiments.saved_run import read_config
from experiments.screening import run_train as screening
from experiments.screening.config import ScreeningConfig

fcntl = pytest.importorskip("fcntl")  # Windows has no such locks

ROOT = pathlib.Path(__file__).resolve().parents[2]


OUT_OF_MEMORY = jax.errors.JaxRuntimeError(
    "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 12884901888 bytes.\nBufferAssignment:"
)


def raising(error):
    def work():
        raise error

    return work


def test_a_program_names_the_flags_that_it_has(capsys, monkeypatch):
    """Of volumes no crop is taken, and nothing is sampled."""
    values = flags.FlagValues()
    flag_fields.define_flags(ScreeningConfig, values)
    monkeypatch.setattr(program_end.flags, "FLAGS", values)
    assert exit_code(raising(OUT_OF_MEMORY)) == 2
    assert capsys.readouterr().err.endswith(
        "a training needs less with a smaller --batch_size, --accumulation=PARTS or --remat, an "
        "evaluation or prediction with a smaller --eval_batch_size\n"
    )


def test_every_flag_that_helps_is_one_of_imos():
    values = flags.FlagValues()
    flag_fields.define_flags(RunConfig, values)
    assert {*program_end.LESS_TRAINING, *program_end.LESS_PREDICTION} <= set(values)


def test_other_errors_of_a_device_are_not_hidden():
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        exit_code(raising(jax.errors.JaxRuntimeError("INTERNAL: a mistake")))


def test_a_result_is_the_exit_code():
    assert exit_code(lambda: 1) == 1


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UserError("no such eye"), 2, "error: no such eye"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(errno.ENOSPC, "No space left on device", "runs/a"), 2, "runs/a: No space left"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "runs"), 2, "may write to"),
        (OSError("odd"), 2, "error: odd"),
        (OUT_OF_MEMORY, 2, "not enough memory (Out of memory while trying to allocate 12884901888"),
        (
            OUT_OF_MEMORY,
            2,
            "a smaller --batch_size, a smaller --crop_size, --accumulation=PARTS or",
        ),
        (MemoryError(), 2, "not enough memory: a training needs less with"),
    ],
)
def test_what_goes_wrong_is_one_sentence(capsys, error, code, words):
    assert exit_code(raising(error)) == code
    said = capsys.readouterr().err
    assert words in said and len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--bootstap=3", "Unknown command line flag 'bootstap'. Did you mean: bootstrap"),
        ("--mode=guess", "mode"),
        ("--mm_per_pixel=7", "mm_per_pixel"),
        ("--flagfile=absent.flags", "absent.flags"),
        ("eye.jpg", "not a flag: eye.jpg"),
    ],
)
def test_a_command_line_that_cannot_be_parsed_is_one_sentence(argument, words):
    command = [sys.executable, "-m", "experiments.imo", argument]
    done = programs.run(command, programs.environment(), timeout=60)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and words in done.stderr
    assert len(done.stderr.splitlines()) == 1 and "--help" in done.stderr


def test_a_mistake_of_the_program_is_not_hidden():
    with pytest.raises(TypeError):
        exit_code(raising(TypeError("bug")))


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of `tmp_path`, until it is killed."""
    code = (
        "import pathlib, time\nfrom experiments.run_lock import locked\n"
        f"with locked(pathlib.Path({str(tmp_path)!r})):\n    print('held', flush=True)\n"
        "    time.sleep(600)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert holder.stdout.readline() == "held\n"
    yield holder
    holder.kill()
    holder.wait()


def test_a_folder_in_use_says_by_whom_and_is_free_when_that_process_is_gone(tmp_path, holder):
    said = f"in use by process {holder.pid} on .* since 20"
    with pytest.raises(UserError, match=said), locked(tmp_path):
        pass
    holder.kill()
    holder.wait()
    (tmp_path / "config.json").write_text("{}")
    with locked(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["process"] == os.getpid()
    assert (tmp_path / LOCK).read_text() == ""


@pytest.mark.parametrize(
    "work",
    [run_train.run_train, run_train.run_stages, screening.run_train, screening.run_surrogate],
)
def test_nothing_is_read_or_written_in_a_folder_in_use(tmp_path, holder, work):
    (tmp_path / "config.json").write_text("the holder's")
    # Neither settings nor eyes: the lock is asked for before either is looked at.
    with pytest.raises(UserError, match=f"in use by process {holder.pid}"):
        work(None, tmp_path, None)
    assert {file.name for file in tmp_path.iterdir()} == {LOCK, "config.json"}
    assert (tmp_path / "config.json").read_text() == "the holder's"


def test_no_weights_are_imported_into_a_folder_in_use(tmp_path, holder):
    with pytest.raises(UserError, match=f"in use by process {holder.pid}"):
        run_import.run_import(RunConfig(), {}, "weights.pth", str(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == [LOCK]


def test_a_start_that_is_refused_leaves_no_folder(tmp_path):
    with pytest.raises(UserError, match="batch"), locked(tmp_path / "run"):
        raise UserError("batch_size=3 cannot be cut over 2 devices")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("work", [run_train.run_train, run_train.run_stages])
def test_settings_are_held_against_the_folders_once_more_under_the_lock(tmp_path, work):
    # Another program began here between this one's first look and its lock.
    run = shutil.copytree(ROOT / "tests" / "run_folders" / "imo", tmp_path / "run")
    config = read_config(RunFolder(run), RunConfig)
    other = dataclasses.replace(config, seed=config.seed + 1)
    with pytest.raises(UserError, match="holds a run with other settings"):
        work(other, run, None)


def test_a_stage_keeps_the_lock_of_its_program(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with locked(tmp_path):
        with locked(tmp_path / "." / "stage1" / ".."):
            pass
        assert json.loads((tmp_path / LOCK).read_text())["process"] == os.getpid()
        with (tmp_path / LOCK).open("a+") as again, pytest.raises(BlockingIOError):
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (tmp_path / LOCK).open("a+") as again:
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_an_interrupt_while_libraries_are_imported_is_one_line(tmp_path):
    code = (
        "from experiments import runtime\nprint('begun', flush=True)\nimport time\ntime.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        # A suite that a shell runs in the background ignores Ctrl-C, and its children with it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "interrupted\n")


def test_a_user_without_a_home_has_a_cache(monkeypatch, tmp_path):
    for name in ("IMO_JAX_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(pathlib.Path, "home", no_home)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert runtime.cache_folder().parent == tmp_path
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert runtime.cache_folder() == pathlib.Path("/somewhere/imo_jax")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("imo", "--fundus=eye.jpg", "--eye=OD"),
            "--fundus does nothing without --mode=predict; --eye does",
        ),
        (
            ("semt", "--mode=train", "--alphas=1"),
            "--alphas does nothing without --mode=select_alpha",
        ),
        (("grader", "--mode=eval", "--format=onnx"), "--format does nothing without --mode=export"),
    ],
)
def test_flags_that_do_nothing_in_a_mode_are_refused(tmp_path, arguments, told):
    name, *rest = arguments
    command = [sys.executable, "-m", f"experiments.{name}", f"--workdir={tmp_path / 'run'}", *rest]
    done = programs.run(command, programs.environment(), timeout=60)
    assert done.returncode == 2 and f"error: {told}" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["workdir", "out"])
def test_a_file_in_place_of_a_folder_is_told_before_anything_is_read(tmp_path, name):
    (tmp_path / "notes.txt").write_text("mine")
    given = {"workdir": tmp_path / "run", name: tmp_path / "notes.txt"}
    flags = [f"--{flag}={path}" for flag, path in given.items()]
    command = [sys.executable, "-m", "experiments.segmenter", "--manifest=none.csv", *flags]
    done = programs.run(command, programs.environment(), timeout=60)
    assert done.returncode == 2
    assert f"--{name}={tmp_path / 'notes.txt'}: is a file; give a folder" in done.stderr
    assert (tmp_path / "notes.txt").read_text() == "mine"

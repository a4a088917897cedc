"""Two processes with a device each against one with two devices; how they stop together."""

import os
import pathlib
import socket
import subprocess
import sys

import jax
import numpy as np
import programs
import pytest

from imo_jax.checkpoints import ITEMS, Checkpoints
from imo_jax.train import processes

HERE = pathlib.Path(__file__).resolve().parent
STEPS = 10
SETTINGS = {"steps": STEPS, "eval_every": 5, "accumulation": 2}
SECONDS = 120  # for what takes a few; a hanging process is a failure

JOIN = """
import sys
from imo_jax.train import processes

coordinator, index = sys.argv[1], int(sys.argv[2])
processes.join(coordinator, 2, index)
"""


def run_two(code, *arguments):
    """Runs JOIN and `code` in two processes with one device each; their exit codes and outputs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    environment = programs.environment(PYTHONPATH=f"{programs.ROOT}{os.pathsep}{HERE}")
    pair = [
        subprocess.Popen(
            [sys.executable, "-c", JOIN + code, coordinator, str(index), *map(str, arguments)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for index in range(2)
    ]  # fmt: skip
    try:
        outputs = [process.communicate(timeout=SECONDS) for process in pair]
    finally:
        for process in pair:
            process.kill()
    return [process.returncode for process in pair], outputs


def last(workdir):
    with Checkpoints(workdir, read_only=True) as checkpoints:
        return {item: checkpoints.restore(STEPS, item) for item in ITEMS}


TRAINING = f"""
import functools, os, signal
import toy

def make_batch(step):
    if step == 5 and index == 1:
        os.kill(os.getpid(), signal.SIGTERM)
    return toy.make_batch(step)

# what process 1 wrote would lie in a folder that process 0 does not read
train = functools.partial(toy.train_toy, f"{{sys.argv[3]}}/{{index}}", **{SETTINGS})
result = train(make=make_batch)
# the signal came before step 6, and all know of it two steps later
assert (result.step, result.exit_code) == (8, 143), result
result = train()
assert (result.step, result.reason) == ({STEPS}, "finished"), result
assert result.selection.best_step == {STEPS}, result
processes.leave()
"""


def test_two_processes_train_as_two_devices_do_and_stop_together(toy, tmp_path):
    """BatchNorm, dropout, labels missing unevenly, accumulation; SIGTERM to one, resumed."""
    codes, outputs = run_two(TRAINING, tmp_path)
    assert codes == [0, 0], outputs
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0"]
    toy.train_toy(tmp_path / "devices", num_devices=2, **SETTINGS)
    one, two = last(tmp_path / "devices"), last(tmp_path / "0")
    assert one["progress"]["best_step"] == two["progress"]["best_step"]
    for item in ("variables", "training"):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-6), one[item], two[item]
        )


MEETINGS = """
import os
import numpy as np

assert processes.place() == (index, 2) and processes.is_first() == (index == 0)
assert processes.exchange(f"it is {index}") == ["it is 0", "it is 1"]
assert processes.in_first(lambda: {"value": 0.1 + index, "none": None}) == {
    "value": 0.1, "none": None
}
arrays = {"x": np.full(3, index, np.float32), "n": np.int32(index)}
arrays = processes.arrays_of_first(arrays)
assert arrays["x"].tolist() == [0] * 3 and arrays["n"].dtype == np.int32
with processes.first_goes_ahead():
    assert (index == 0) or os.path.exists(sys.argv[3])
    open(sys.argv[3], "w").close()

def fails_in(wrong):
    if index == wrong:
        raise ValueError(f"fault in {wrong}")
    return 1

def tried(block, wrong):
    try:
        block(wrong)
    except ValueError as error:
        assert str(error) == f"fault in {wrong}" and index == wrong
    except processes.StoppedElsewhere as error:
        assert f"process {wrong} " in str(error) and index != wrong
    else:
        raise AssertionError("nothing was raised")

def all_or_none(wrong):
    with processes.all_or_none():
        fails_in(wrong)

def first_goes_ahead(wrong):
    with processes.first_goes_ahead():
        fails_in(wrong)

for wrong in (0, 1):
    tried(all_or_none, wrong)
    tried(first_goes_ahead, wrong)
tried(lambda wrong: processes.in_first(lambda: fails_in(wrong)), 0)
processes.leave()
assert processes.place() == (index, 2)
"""


def test_meetings(tmp_path):
    codes, outputs = run_two(MEETINGS, tmp_path / "prepared")
    assert codes == [0, 0], outputs


def test_alone_nothing_waits():
    assert processes.place() == (0, 1) and processes.is_first()
    assert processes.exchange("x") == ["x"]
    assert processes.in_first(lambda: 3) == 3
    tree = {"x": np.zeros(2)}
    assert processes.arrays_of_first(tree) is tree
    with processes.first_goes_ahead(), processes.all_or_none():
        pass
    with pytest.raises(KeyError), processes.first_goes_ahead():
        raise KeyError
    processes.leave()

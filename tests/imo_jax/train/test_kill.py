"""A run that is killed, and goes on to the same bits (the script that kills more often is apart)."""

import os
import pathlib
import subprocess
import sys
import time

import jax
import numpy as np

from imo_jax.checkpoints import ITEMS, Checkpoints

TOY = pathlib.Path(__file__).with_name("toy.py")
ROOT = TOY.parents[3]
STEPS = 14


def start(workdir, seconds_per_step=0.0):
    command = [sys.executable, str(TOY), f"--workdir={workdir}", f"--steps={STEPS}"]
    return subprocess.Popen(
        [*command, f"--seconds_per_step={seconds_per_step}"],
        stderr=subprocess.DEVNULL,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            # as in a real run: the resumed process finds its program compiled
            "JAX_COMPILATION_CACHE_DIR": str(workdir.with_name("compiled")),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        },
    )


def last(workdir):
    with Checkpoints(workdir, read_only=True) as checkpoints:
        return {item: checkpoints.restore(STEPS, item) for item in ITEMS}


def test_killed_and_resumed_gives_the_same_bits(tmp_path):
    whole = start(tmp_path / "whole")
    parts = start(tmp_path / "parts", seconds_per_step=0.15)
    while not (tmp_path / "parts" / "6").exists():
        assert parts.poll() is None, "ended before it could be killed"
        time.sleep(0.02)
    parts.kill()
    parts.wait()
    assert not (tmp_path / "parts" / str(STEPS)).exists()
    assert start(tmp_path / "parts").wait(120) == 0
    assert whole.wait(120) == 0
    one, two = last(tmp_path / "whole"), last(tmp_path / "parts")
    assert one["progress"] == two["progress"]  # best value, best step, bad validations in a row
    assert one["progress"]["best_step"] == 12
    assert set(one["training"]) == {"step", "opt_state", "params", "batch_stats"}
    jax.tree.map(np.testing.assert_array_equal, one, two)  # average, parameters, Adam's moments

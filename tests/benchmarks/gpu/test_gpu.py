"""The GPU script runs through on any machine, keeps what it has when cut off, and can say no."""

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import kernels, numerics


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_the_small_form_runs_through(tmp_path):
    """As on a GPU, in small sizes: the first minute there is not spent on a typing error."""
    file = tmp_path / "gpu.jsonl"
    assert gpu.main(["--small", f"--json={file}", "--minutes=30"]) == 0
    found = lines(file)
    assert [row["outcome"] for row in found if "outcome" in row] == ["done"] * len(gpu.CHECKS)
    whats = {row["what"] for row in found if "what" in row}
    assert {"numerics of train", "numerics of sample", "kernels of the train step"} < whats
    assert {"train", "sample", "loader", "surrogate"} < whats
    assert all(row["median_s"] > 0 for row in found if "median_s" in row)


def test_every_command_of_both_forms_is_understood(tmp_path, monkeypatch):
    """The modules' own parsers take the arguments, of the full form too."""
    from benchmarks.speed import __main__ as speed

    monkeypatch.setattr(speed, "rows_of", lambda task, args: [])
    monkeypatch.setattr(kernels, "case_of", lambda task: None)
    monkeypatch.setattr(kernels, "profiled", lambda run, folder: {"kernel": 1.0})
    monkeypatch.setattr(kernels.jax_runtime, "set_up", lambda precision: None)
    monkeypatch.setattr(numerics, "compare", lambda size, file: 0)

    class Case:
        run = None

    monkeypatch.setattr(kernels, "case_of", lambda task: Case)
    mains = {gpu.SPEED: speed.main, gpu.KERNELS: kernels.main, gpu.NUMERICS: numerics.main}
    for check in gpu.CHECKS:
        for small in (True, False):
            asked = gpu.command(check, small, tmp_path / "f.jsonl", with_torch=True)
            assert asked[:2] == [sys.executable, "-m"] and mains[asked[2]](asked[3:]) == 0


def test_what_is_cut_off_keeps_what_it_has(tmp_path, monkeypatch):
    file = tmp_path / "gpu.jsonl"
    outcomes = iter([0, 1, subprocess.TimeoutExpired("command", 1)])

    def run(command, timeout):
        assert timeout > 0
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return subprocess.CompletedProcess(command, outcome)

    monkeypatch.setattr(gpu.subprocess, "run", run)
    monkeypatch.setattr(gpu, "CHECKS", gpu.CHECKS[:3])
    assert gpu.main([f"--json={file}"]) == 1
    assert [row["outcome"] for row in lines(file)] == ["done", "failed", "cut off"]
    assert gpu.main([f"--json={file}", "--minutes=0.1"]) == 0
    assert [row["outcome"] for row in lines(file)[3:]] == ["not begun"] * 3


def test_numerics_that_differ_are_refused(tmp_path, monkeypatch):
    """A device whose gradients are off by a tenth is told from one that rounds otherwise."""
    file = tmp_path / "gpu.jsonl"
    value = np.linspace(1, 2, 8, dtype=np.float32)

    def computed(off):
        def of(what, size, folder, platform):
            array = value * (1 if platform == "cpu" else 1 + off)
            return {"device": np.array("some"), "array/gradient": array}

        return of

    monkeypatch.setattr(numerics, "computed", computed(1e-5))
    assert numerics.compare(64, file) == 0
    monkeypatch.setattr(numerics, "computed", computed(0.1))
    assert numerics.compare(64, file) == 1
    assert [row["agrees"] for row in lines(file)] == [True, True, False, False]
    assert lines(file)[-1]["relative_error"] == pytest.approx(0.1, rel=1e-3)


def test_lines_of_a_profile_that_a_gpu_writes():
    assert kernels.is_device_line("/device:GPU:0", "Stream #13(Compute)")
    assert not kernels.is_device_line("/device:GPU:0", "XLA Modules")
    assert not kernels.is_device_line("/host:CPU", "python")

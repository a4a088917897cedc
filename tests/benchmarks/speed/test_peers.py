"""Our cases against the PyTorch twins, small: what the benchmark compares before it times."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed import jax_cases, torch_cases
from benchmarks.speed.__main__ import main, networks
from benchmarks.speed.machine import ROOT
from benchmarks.speed.report import KEYS
from benchmarks.speed.task import Task
from benchmarks.speed.worker import Worker, WorkerError
from imo_jax.models.imo import IMOConfig
from imo_jax.models.segmenters import SegmenterConfig
from imo_jax.models.semt import SemtConfig

pytestmark = pytest.mark.parity

IMO = IMOConfig(
    backbone_depths=(1, 1, 2, 1), backbone_widths=(8, 16, 24, 32), feature_dim=32, norm_groups=8,
    oct_slices=4, oct_blocks=2, grade_hidden=16, grade_blocks=2, decoder_layers=2, decoder_heads=4,
    decoder_mlp=32, time_dim=16,
)  # fmt: skip
SEMT = SemtConfig(stage_sizes=(1, 1, 1, 1), width=8, regression_width=16)
TOLERANCE = 1e-4


@pytest.fixture(autouse=True)
def one_thread():
    """The arrays are too small to be shared out; several threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def task(what, config, **changes):
    model = {IMOConfig: "imo", SemtConfig: "semt", SegmenterConfig: "unet"}[type(config)]
    given = Task(what, model, "test", dataclasses.asdict(config), 64, 3, "float32", oct_size=24)
    return dataclasses.replace(given, **changes)


def compared(given, compiled=False):
    ours = jax_cases.case_of(given)
    start, expected = ours.for_peer(), ours.first()
    theirs = torch_cases.case_of(given, start, compiled)
    return ours, theirs, theirs.compare(expected)


@pytest.mark.parametrize("config", [IMO, SEMT], ids=["imo", "semt"])
def test_a_train_step(config):
    ours, theirs, errors = compared(task("train", config))
    assert {"loss", "gradient", "gradient_norm", "statistics"} < set(errors)
    assert max(errors.values()) < TOLERANCE
    theirs.run()  # with draws of its own
    ours.run()


@pytest.mark.parametrize("what", ["encode", "train"])
def test_the_u_net_of_segmentation_models_pytorch(what):
    """Of gradients behind batch norms of few values and ReLUs: rounding becomes 3 % at 64 pixels."""
    pytest.importorskip("segmentation_models_pytorch")
    *_, errors = compared(task(what, networks("unet")["efficientnet_lite0"]))
    gradients = {name: errors.pop(name) for name in ("gradient", "gradient_norm") if name in errors}
    assert max(errors.values()) < 1e-5
    assert max(gradients.values(), default=0.0) < 0.1


def test_the_operations_of_a_step_are_those_that_pytorch_counts():
    ours, theirs, _ = compared(task("train", IMO, size=128))
    with FlopCounterMode(display=False) as counter:
        theirs.run()
    # PyTorch counts products alone, but those with padding, too, which are many in maps as small as
    # these; XLA counts none with padding, but also what is elementwise.
    assert 0.8 < ours.flops() / counter.get_total_flops() < 1.5


@pytest.mark.parametrize("samples", [1, 2])
def test_a_prediction(samples):
    *_, errors = compared(task("sample", IMO, samples=samples, steps=2))
    assert set(errors) == {"probabilities", "entropy", "grade_probabilities"}
    assert max(errors.values()) < TOLERANCE


def test_more_steps_are_more_operations():
    one, three = (jax_cases.case_of(task("sample", IMO, steps=n)).flops() for n in (1, 3))
    assert 1.2 < three / one < 3


@pytest.mark.parametrize("config", [IMO, SEMT], ids=["imo", "semt"])
def test_encoding(config):
    *_, errors = compared(task("encode", config))
    assert max(errors.values()) < TOLERANCE


def test_bfloat16_stays_near():
    *_, errors = compared(
        task("train", dataclasses.replace(IMO, dtype="bfloat16"), precision="bfloat16")
    )
    assert 1e-4 < errors["gradient"] < 1e-1


def test_the_compiled_twin_is_compiled_in_the_mode_asked_for(monkeypatch):
    modes = []
    monkeypatch.setattr(torch, "compile", lambda function, mode: modes.append(mode) or function)
    given = task("encode", SEMT, compile_mode="reduce-overhead")
    start = jax_cases.case_of(given).for_peer()
    torch_cases.case_of(given, start, False)
    assert not modes
    torch_cases.case_of(given, start, True)
    assert modes == ["reduce-overhead"]


def test_another_network_is_noticed():
    given = task("encode", SEMT)
    ours = jax_cases.case_of(given)
    start = ours.for_peer()
    start["weights/classifier.bias"] = start["weights/classifier.bias"] + 1
    assert torch_cases.case_of(given, start, False).compare(ours.first())["logit"] > 0.1
    del start["weights/classifier.bias"]
    with pytest.raises(ValueError, match="classifier.bias"):
        torch_cases.case_of(given, start, False)


def test_errors_are_relative_and_gathered_by_kind():
    expected = {"a/x": np.array([3.0]), "a/y": np.array([4.0]), "b": np.array([2.0])}
    found = {"a/x": torch.tensor([3.0]), "a/y": torch.tensor([4.5]), "b": torch.tensor([2.0])}
    assert torch_cases.errors(found, expected) == {"a": pytest.approx(0.1), "b": 0.0}
    with pytest.raises(ValueError, match="c"):
        torch_cases.errors(found | {"c": found["b"]}, expected)


def test_the_twin_loads_no_jax():
    code = "import sys, benchmarks.speed.torch_cases; print('jax' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    assert done.stdout.strip() == "False"


def test_one_command_measures_both(tmp_path, capsys):
    file = tmp_path / "speed.jsonl"
    code = main(["--what=surrogate", "--size=300", "--batch=50", "--repeats=2", "--peer", f"--json={file}"])  # fmt: skip
    assert code == 0
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["impl"] for row in rows] == ["jax", "torch"]
    assert all(set(KEYS) <= set(row) for row in rows)
    assert rows[0]["flops"] == 2 * 50 * 300 * 512 and rows[0]["peak_bytes"] > 1e8
    assert rows[1]["errors"]["distance"] < 1e-3 and rows[1]["versions"]["torch"]
    assert "of matmul" in capsys.readouterr().out


def test_a_worker_that_fails_tells_why(tmp_path):
    with pytest.raises(WorkerError, match="NVIDIA GPU"):
        Worker("torch", dataclasses.replace(task("train", IMO), precision="tf32"), str(tmp_path))

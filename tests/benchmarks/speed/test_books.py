"""Times, rows and tables of the speed benchmark: all that needs neither JAX nor PyTorch."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.speed import measure as measuring
from benchmarks.speed.__main__ import _parser, tasks
from benchmarks.speed.inputs import batch_of, descriptors
from benchmarks.speed.loader import row_of
from benchmarks.speed.machine import ROOT, commit, peak_resident
from benchmarks.speed.report import KEYS, append_lines, complete, table
from benchmarks.speed.task import Task, spread

TASK = Task(
    "sample", "imo", "tiny", {"oct_slices": 4, "num_grades": 3}, 64, 2, "float32", oct_size=8
)
ROW = {
    "impl": "torch", "device": "a machine", "versions": {"torch": "2"}, "median_s": 0.5,
    "p10_s": 0.4, "p90_s": 1.5, "peak_bytes": 2_000_000_000, "flops": 1e9, "ratio": 0.8,
    "ceiling_flops_per_s": 4e9,
}  # fmt: skip


def task_of(**changes):
    return dataclasses.replace(TASK, **changes)


def test_tenths_of_known_times():
    found = spread([float(n) for n in (4, 1, 3, 2, 5, 6, 7, 8, 9, 10, 11)])
    assert found == {"median_s": 6.0, "p10_s": 2.0, "p90_s": 10.0}
    assert spread([1.0, 2.0])["p10_s"] == pytest.approx(1.1)


class Clockwork:
    """A worker whose calls take a known time, and that notes when it is called."""

    def __init__(self, impl, calls):
        self.impl, self._calls, self._number = impl, calls, 0

    def call(self, method):
        assert method == "run"
        self._calls.append(self.impl)
        self._number += 1
        return float(self._number)


def test_turns_alternate_and_the_first_do_not_count(monkeypatch):
    monkeypatch.setattr(measuring, "PAUSE", 0.0)
    calls = []
    seconds = measuring.take_turns([Clockwork("jax", calls), Clockwork("torch", calls)], 3)
    assert calls == ["jax", "torch"] * (measuring.WARM_UP + 3)
    assert seconds == {"jax": [3.0, 4.0, 5.0], "torch": [3.0, 4.0, 5.0]}


@pytest.mark.parametrize("error", [0.2, float("nan")], ids=str)
def test_a_twin_that_computes_something_else_is_not_timed(error):
    lines = []
    measuring.check_errors("torch", {"loss": 0.001}, task_of(precision="bfloat16"), lines.append)
    assert "loss 1.0e-03" in lines[0]
    with pytest.raises(measuring.Disagreement, match=r"gradient \(at most 0.1\)"):
        measuring.check_errors("torch", {"loss": 0.0, "gradient": error}, task_of(precision="bfloat16"), lines.append)


def test_gradients_may_differ_more_than_losses():
    measuring.check_errors("torch", {"gradient": 0.009}, task_of(precision="float32"), print)
    with pytest.raises(measuring.Disagreement, match=r"loss \(at most 0.001\)"):
        measuring.check_errors("torch", {"loss": 0.009}, task_of(precision="float32"), print)


def test_gradients_of_a_u_net_may_differ_more_than_others():
    u_net = task_of(precision="float32", model="unet")
    measuring.check_errors("torch", {"gradient": 0.04}, u_net, print)
    with pytest.raises(measuring.Disagreement, match=r"gradient \(at most 0.05\)"):
        measuring.check_errors("torch", {"gradient": 0.06}, u_net, print)


def test_photographs_without_grades_are_cut_as_eyes_are():
    batch = batch_of(Task("train", "unet", "efficientnet_lite0", {}, 32, 6, "float32"))
    assert batch["fundus"].shape == (6, 32, 32, 3) and not batch["has_grade"].any()
    assert set(np.unique(batch["mask"])) == {0, 1, 2, 255}


def test_the_u_net_has_the_decoder_of_its_peer():
    (task,) = arguments("--what=train", "--model=unet")
    assert (task.config, task.size, task.batch) == ("efficientnet_lite0", 256, 8)
    assert task.network["network"] == "unet" and task.network["encoder"] == "efficientnet_lite0"


def test_a_line_begins_with_the_agreed_keys(tmp_path):
    row = complete(ROW, TASK, "abc1234+")
    assert tuple(row)[: len(KEYS)] == KEYS
    file = tmp_path / "new" / "speed.jsonl"
    append_lines(file, [row])
    append_lines(file, [row | {"impl": "jax"}])
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["impl"] for line in lines] == ["torch", "jax"]
    assert lines[0]["what"] == "sample" and lines[0]["model"] == "imo" and lines[0]["steps"] == 3
    assert lines[0]["commit"] == "abc1234+" and lines[0]["versions"] == {"torch": "2"}


def test_the_table_says_times_ratio_memory_and_share():
    text = table([complete(ROW, TASK, "")])
    # 1 GFLOP in 0.5 s is half of 4 GFLOP/s
    assert text.split("\n")[1].split() == [
        "torch", "64", "2", "3", "1", "500.0", "ms", "400.0", "ms", "1.50", "s", "0.80", "2.00",
        "1.0", "50%",
    ]  # fmt: skip
    bare = ROW | {"peak_bytes": None, "flops": None, "ratio": None, "cache": "cold"}
    assert "torch (cold)" in table([complete(bare, TASK, "")])


def test_batches_are_the_same_in_every_process():
    batch, again = batch_of(TASK), batch_of(TASK)
    assert batch["fundus"].shape == (2, 64, 64, 3) and batch["fundus"].dtype == np.uint8
    assert batch["oct"].shape == (2, 8, 8, 4)
    assert set(np.unique(batch["mask"])) == {0, 1, 2, 255}
    assert all(np.array_equal(batch[name], again[name]) for name in batch)
    queries, donors = descriptors(Task("surrogate", "", "", {}, 5, 3, "float32"))
    assert queries.shape == (3, 512) and donors.shape == (5, 512) and queries.min() >= 0


def test_scans_lack_some_visual_fields():
    batch = batch_of(Task("train", "semt", "tiny", {}, 32, 6, "float32"))
    np.testing.assert_array_equal(batch["has_vf"][:, 0], [True, True, False] * 2)
    assert (batch["vf"][2] == 0).all() and batch["scan"].shape == (6, 32, 32, 3)


def arguments(*given):
    parser = _parser()
    return tasks(parser.parse_args(given), parser)


def test_several_sizes_steps_and_samples_are_all_combined():
    found = arguments(
        "--what=sample", "--config=tiny", "--size=64,128", "--steps=1,3", "--samples=2"
    )
    assert [(t.size, t.steps, t.samples) for t in found] == [
        (64, 1, 2), (64, 3, 2), (128, 1, 2), (128, 3, 2)
    ]  # fmt: skip
    assert found[0].network["feature_dim"] == 64 and found[0].network["dtype"] == "float32"


def test_bfloat16_is_the_networks_dtype():
    (task,) = arguments("--what=train", "--model=semt", "--precision=bfloat16", "--batch=3")
    assert task.network["dtype"] == "bfloat16" and task.network["stage_sizes"] == (2, 2, 2, 2)
    assert (task.config, task.size, task.batch) == ("resnet18", 224, 3)


@pytest.mark.parametrize(
    "given",
    [
        ("--what=sample", "--model=semt"),
        ("--what=train", "--config=huge"),
        ("--what=train", "--size=0"),
        ("--what=train", "--model=two_stages", "--peer"),
    ],
    ids=str,
)
def test_what_is_not_there_is_refused(given, capsys):
    with pytest.raises(SystemExit):
        arguments(*given)
    assert "--" in capsys.readouterr().err


def test_a_loaders_row():
    pipeline = {
        "backend": "threads", "workers": 2, "images_per_second": 100,
        "least": 80, "most": 200, "cpu_ms": 4.0, "store": "ArrayStore", "ratio": 1.0,
    }  # fmt: skip
    row = row_of(pipeline, Task("loader", "", "", {}, 256, 8, "float32"))
    assert (row["median_s"], row["p10_s"], row["p90_s"]) == (0.08, 0.04, 0.1)
    assert (row["store"], row["workers"], row["cpu_ms"]) == ("ArrayStore", 2, 4.0)


def test_the_peak_is_of_this_process():
    before = peak_resident()
    held = np.ones(64 * 2**20, np.uint8)
    assert peak_resident() >= before and held[-1] == 1
    assert 10e6 < before < 1e12


def test_the_commit_is_short():
    assert len(commit()) < 16


def test_the_process_that_keeps_time_loads_no_library():
    code = (
        "import sys, benchmarks.speed.measure, benchmarks.speed.first_step, benchmarks.speed.loader;"
        "print(sorted({'jax', 'torch', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    assert done.stdout.strip() == "[]"

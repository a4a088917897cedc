"""The benchmark's IMO in two stages is that of the flagfile for photographs, and can be timed."""

import dataclasses

import pytest
from absl import flags

from benchmarks.speed import jax_cases
from benchmarks.speed.__main__ import networks
from benchmarks.speed.machine import ROOT
from benchmarks.speed.task import Task
from experiments.eye_programs import IMO
from experiments.locator import locator_config

FLAGFILE = ROOT / "experiments" / "flagfiles" / "imo" / "photographs.flags"
# Of the sampler, which is not asked, and of an encoder that is not built.
UNUSED = {"backbone_depths", "backbone_widths", "signal_scale", "time_difference", "start_time",
          "grade_gradient", "grade_shapes"}  # fmt: skip


@pytest.fixture
def photographs():
    values = flags.FlagValues()
    IMO.define_flags(values)
    values(["imo", f"--flagfile={FLAGFILE}"])
    return IMO.configured(values)


def used(model):
    return {name: x for name, x in dataclasses.asdict(model).items() if name not in UNUSED}


def test_the_networks_are_the_flagfiles(photographs):
    ours = networks("two_stages")
    assert used(photographs.model) == used(ours["square"])
    assert used(locator_config(photographs).model) == used(ours["locator"])


def test_a_train_step_runs_and_is_counted():
    small = dataclasses.replace(
        networks("two_stages")["square"], encoder="resnet10_w16", feature_dim=16, decoder_layers=1,
        decoder_mlp=16, fine_dim=8,
    )  # fmt: skip
    task = Task("train", "two_stages", "square", dataclasses.asdict(small), 32, 2, "float32")
    case = jax_cases.case_of(task)
    first = case.first()
    assert first["loss_dice"] > 0 and first["gradient_norm"] > 0
    case.run()
    assert case.flops() > 1e7

"""When the calibration of a run says something of how it is asked now."""

import dataclasses
import types

import pytest

from experiments.calibration import applicable, cdr_range
from experiments.config import RunConfig
from imo_jax.predictor.answers import how_asked
from imo_jax.predictor.calibration import EyeCalibration

CALIBRATION = EyeCalibration(
    step=7, asked=how_asked(RunConfig().model, 4, False), coverage=0.9, cdr_error=0.1, cdr_eyes=24,
    grade_score=0.55, temperature=1.0, graded_eyes=24,
)  # fmt: skip
OTHER = dataclasses.replace(CALIBRATION, asked={"samples": 1})


def run_of(calibration):
    return types.SimpleNamespace(calibration=calibration, config=RunConfig())


def test_a_run_that_is_asked_as_it_was_measured_has_its_calibration():
    run = run_of(CALIBRATION)
    assert applicable(run) is CALIBRATION
    assert cdr_range(run, {"vcdr_pred": 0.5}) == pytest.approx((0.4, 0.6))
    assert cdr_range(run, {"vcdr_pred": float("nan")}) is None


@pytest.mark.parametrize(
    ("calibration", "words"), [("nothing: why", "why"), (OTHER, "samples=1")], ids=["none", "other"]
)
def test_nothing_is_promised_without_a_calibration_or_by_another_sampler(calibration, words):
    assert words in applicable(run_of(calibration))
    assert cdr_range(run_of(calibration), {"vcdr_pred": 0.5}) is None

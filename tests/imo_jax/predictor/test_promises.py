"""Promises held against other eyes, by hand."""

import dataclasses

import numpy as np
import pytest

from imo_jax.labels import GRADE_NAMES
from imo_jax.metrics.grade_map import grade_map
from imo_jax.predictor.calibration import EyeCalibration
from imo_jax.predictor.promises import KEYS, kept_promises

CALIBRATION = EyeCalibration(
    step=7, asked={"samples": 4, "mirror": False}, coverage=0.9, cdr_error=0.1, cdr_eyes=24,
    grade_score=0.55, temperature=1.0, graded_eyes=24,
)  # fmt: skip


def record(predicted, true, probabilities, grade, patient):
    return {
        "vcdr_pred": predicted, "vcdr_true": true, "grade": grade, "patient": patient,
        "grade_probabilities": None if probabilities is None else np.array(probabilities),
    }  # fmt: skip


RECORDS = [
    record(0.50, 0.45, (0.8, 0.1, 0.1), 0, "a"),  # both hold; a set of one
    record(0.50, 0.70, (0.46, 0.46, 0.08), 1, "b"),  # interval misses; a set of two
    record(0.50, 0.55, (0.8, 0.1, 0.1), 2, "c"),  # set misses
    record(float("nan"), 0.5, None, None, "d"),  # nothing found, nothing graded
]


def kept(calibration, records=RECORDS, grades=None):
    return kept_promises(calibration, records, grades=grades, resamples=50, seed=0)


def test_sets_of_grades_are_of_the_networks_own():
    same = grade_map(GRADE_NAMES, GRADE_NAMES)
    assert kept(CALIBRATION, grades=same)["grade_set_coverage"] is not None
    merged = kept(CALIBRATION, grades=grade_map(GRADE_NAMES, ("normal", "glaucoma")))
    assert merged["grade_set_coverage"] is merged["grade_set_size"] is None
    assert merged["cdr_interval_coverage"]["value"] == pytest.approx(2 / 3)


def test_shares_by_hand():
    found = kept(CALIBRATION)
    assert found["cdr_interval_coverage"]["value"] == pytest.approx(2 / 3)
    assert found["grade_set_coverage"]["value"] == pytest.approx(2 / 3)
    assert found["grade_set_size"]["value"] == pytest.approx(4 / 3)
    assert found["calibration"]["cdr_error"] == 0.1


def test_nothing_is_promised_without_a_calibration():
    found = kept("nothing: why")
    assert all(found[key] is None for key in KEYS) and found["calibration"] == "nothing: why"


def test_too_few_eyes_or_labels_give_none():
    few = dataclasses.replace(CALIBRATION, cdr_error=None, grade_score=None)
    assert all(kept(few)[key] is None for key in KEYS)
    assert all(kept(CALIBRATION, RECORDS[3:])[key] is None for key in KEYS)

import dataclasses
import itertools

import numpy as np
import pytest

from imo_jax.predictor.calibration import EyeCalibration


def record(predicted=None, true=None, probabilities=None, grade=None, patient=None):
    return {
        "patient": patient or f"p{next(PATIENTS)}",
        "vcdr_pred": predicted, "vcdr_true": true, "grade": grade,
        "grade_probabilities": None if probabilities is None else np.array(probabilities),
    }  # fmt: skip


PATIENTS = itertools.count()


def fit(records):
    return EyeCalibration.fit(records, step=3, asked={"samples": 2, "mirror": False})


def test_two_eyes_of_a_patient_count_as_one():
    # Ten patients, 17 eyes: a bound must have 9.9 of them below it, so that of two eyes of one
    # patient the worse may count, too.
    errors = [0.01 * k for k in range(1, 18)]
    pairs = [record(0.5 + e, 0.5, patient=f"two{k // 2}") for k, e in enumerate(errors[:14])]
    single = [record(0.5 + e, 0.5) for e in errors[14:]]
    assert fit(pairs + single).cdr_error == pytest.approx(0.17)
    # Alone, each eye its patient, 17 scores: ceil(18 * .9) = 17th; of 19, the 18th.
    many = [record(0.5 + 0.01 * k, 0.5) for k in range(1, 20)]
    assert fit(many).cdr_error == pytest.approx(0.18)
    # 19 patients, the worst two eyes of one: the better of them is the bound, 18.5 >= 20 * .9.
    worst = [record(0.7, 0.5, patient="w"), record(0.71, 0.5, patient="w")]
    assert fit([*many[:18], *worst]).cdr_error == pytest.approx(0.18)
    assert fit(pairs[:9]).cdr_error is None  # nine eyes, five patients


def test_the_interval_by_hand():
    errors = np.arange(1, 10) / 100
    found = fit([record(0.5 + error, 0.5) for error in errors])
    assert found.cdr_eyes == 9 and found.cdr_error == pytest.approx(0.09)
    assert found.cdr_interval(0.4) == pytest.approx((0.31, 0.49))
    assert found.cdr_interval(0.05) == pytest.approx((0, 0.14))
    assert found.cdr_interval(0.95) == pytest.approx((0.86, 1))
    assert found.cdr_interval(None) is None and found.cdr_interval(float("nan")) is None


def test_eyes_without_a_disc_or_a_mask_do_not_count():
    eyes = [record(0.5, 0.4) for _ in range(9)]
    more = [record(float("nan"), 0.4), record(0.5, float("nan")), record(0.5, None)]
    assert fit(eyes + more) == fit(eyes)


def test_too_few_eyes_promise_nothing():
    found = fit([record(0.5, 0.4, (0.5, 0.3, 0.2), 0) for _ in range(8)])
    assert found.cdr_error is None and found.cdr_interval(0.5) is None
    assert found.grade_score is None and found.grade_set(np.array([0.5, 0.3, 0.2])) is None
    assert found.temperature is None
    assert found.cdr_eyes == found.graded_eyes == 8


def test_nothing_labelled_changes_nothing():
    found = fit([record(0.5, None, (0.5, 0.3, 0.2), None)])
    p = np.array([0.5, 0.3, 0.2], np.float32)
    assert found.temperature is None and found.tempered(p) is p


def test_sets_and_probabilities_of_grades_by_hand():
    sure = (0.9, 0.1, 0.0)
    found = fit([record(probabilities=sure, grade=g) for g in (0, 0, 0, 1) * 3])
    # 12 scores, .1 nine times and .9 thrice: ceil(13 * .9) = 12th = .9.
    assert found.grade_score == pytest.approx(0.9)
    np.testing.assert_array_equal(found.grade_set(np.array(sure)), [True, True, False])
    assert found.temperature > 1.5
    assert found.tempered(np.array(sure)).max() < 0.8


def test_what_was_asked_otherwise_was_not_measured():
    found = fit([record(0.5, 0.4)])
    assert found.mismatch({"samples": 2, "mirror": False}) is None
    assert found.mismatch({"samples": 4, "mirror": False}).endswith("measured with samples=2")
    assert "mirror=False" in found.mismatch({"samples": 2, "mirror": True})


def test_it_survives_a_file():
    found = fit([record(0.5, 0.4, (0.5, 0.3, 0.2), 0) for _ in range(20)])
    assert EyeCalibration.from_json(dataclasses.asdict(found)) == found

import dataclasses

import numpy as np
import pytest

from imo_jax.metrics.screening import VolumeRecord, cases, record_of, record_row
from imo_jax.metrics.screening_baseline import constant_records, glaucoma_share, mean_field

NOTHING = np.full(3, np.nan)


def record(name, probability, patient="p", eye="OD", visit="1", **changes):
    settings = {"glaucoma": 1, "vf_predicted": None, "vf_measured": NOTHING}
    return VolumeRecord(name, patient, eye, visit, probability=probability, **(settings | changes))


def test_cases_by_hand():
    field = np.array([90.0, -3.0, np.nan])
    volumes = [
        record("a", 0.2, vf_predicted=np.array([80.0, -4, 3]), vf_measured=field),
        record("b", 0.9, eye="OS", glaucoma=0),
        record("c", 0.6, vf_predicted=np.array([60.0, -8, 5])),
        record("d", 0.5, visit="2"),
    ]
    first, other_eye, later = cases(volumes)
    assert [case.id for case in (first, other_eye, later)] == ["p/OD/1", "p/OS/1", "p/OD/2"]
    assert first.probability == 0.4 and other_eye.probability == 0.9 and later.probability == 0.5
    np.testing.assert_array_equal(first.vf_predicted, [70, -6, 4])
    np.testing.assert_array_equal(first.vf_measured, field)
    assert other_eye.vf_predicted is None and other_eye.glaucoma == 0
    assert cases([]) == []


def test_visits_that_contradict_themselves():
    with pytest.raises(ValueError, match="p/OD/1.*same class"):
        cases([record("a", 0.2), record("b", 0.2, glaucoma=0)])
    with pytest.raises(ValueError, match="p/OD/1.*predicted"):
        cases([record("a", 0.2), record("b", 0.2, vf_predicted=np.zeros(3))])


def test_row():
    field = np.array([90.0, -3.0, np.nan])
    row = record_row(record("a", 0.2, vf_measured=field, vf_predicted=np.array([80, -4, 3])))
    assert row == {
        "id": "a", "patient": "p", "eye": "OD", "visit": "1", "glaucoma": 1, "probability": 0.2,
        "vfi_true": 90.0, "vfi_pred": 80.0, "md_true": -3.0, "md_pred": -4.0,
        "psd_true": None, "psd_pred": 3.0,
    }  # fmt: skip
    bare = record_row(record("a", 0.2, glaucoma=None))
    assert list(bare) == list(row) and bare["glaucoma"] is None and bare["vfi_pred"] is None


def test_a_record_comes_back_from_the_texts_of_its_row():
    field = np.array([90.0, -3.1, np.nan])
    known = record("a", 0.2, vf_measured=field, vf_predicted=np.array([80, -4, 3.0]))
    for before in (known, record("b", 1 / 3, glaucoma=None)):
        cells = {n: "" if cell is None else str(cell) for n, cell in record_row(before).items()}
        after = record_of(cells)
        fields = {"vf_predicted", "vf_measured"}
        for name in set(vars(before)) - fields:
            assert getattr(after, name) == getattr(before, name)
        np.testing.assert_array_equal(after.vf_measured, before.vf_measured)
        if before.vf_predicted is None:
            assert after.vf_predicted is None
        else:
            np.testing.assert_array_equal(after.vf_predicted, before.vf_predicted)


def test_baseline():
    assert glaucoma_share(np.array([1, 1, 0, 1])) == 0.75
    vf = np.array([[80, -4, 9], [60, -8, 9]], np.float32)
    mean = mean_field(vf, np.array([[1, 1, 0], [0, 1, 0]], bool))
    np.testing.assert_array_equal(mean, [80, -6, np.nan])
    records = [record("a", 0.2), record("b", 0.9)]
    constant = constant_records(records, 0.75, mean)
    assert [r.probability for r in constant] == [0.75] * 2 and constant[1].id == "b"
    assert constant_records(records, 0.75)[0] == dataclasses.replace(records[0], probability=0.75)
    with pytest.raises(ValueError, match="at least one"):
        glaucoma_share(np.array([]))

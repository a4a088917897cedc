"""Scored eyes on disk and back."""

import numpy as np
import pytest

from experiments.comparison.evaluation import RECORDS, read_masks, read_records, write_scored
from imo_jax.atomic_files import write_arrays
from imo_jax.metrics.eye_arrays import arrays_of
from imo_jax.metrics.imo_eye import score_eye
from imo_jax.metrics.imo_summary import imo_summary


def kept(record):
    """A record without the measures of the disc and what is doubted, which tables do not use."""
    left = ("measures_", "warnings")
    return {name: value for name, value in record.items() if not name.startswith(left)}


def same(one, other):
    """Equal records, NaN equal to NaN."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if one is None or other is None or isinstance(one, str | tuple):
        return one == other
    return np.array_equal(one, other, equal_nan=True)


@pytest.mark.parametrize(("segment", "grade"), [(True, True), (True, False), (False, True)])
def test_records_come_back_from_disk(tmp_path, store, predict, segment, grade):
    records = write_scored(tmp_path / "eval", store, predict(store, 0, 1.0, segment, grade))
    found = read_records(tmp_path / "eval")
    assert len(found) == 8
    assert all(same(kept(before), after) for before, after in zip(records, found, strict=True))
    assert imo_summary(found, resamples=20) == imo_summary(records, resamples=20)
    masks = read_masks(tmp_path / "eval")
    assert (masks is None) != segment
    if segment:
        assert masks.shape == (8, 32, 32) and masks.dtype == np.uint8
        assert (masks == [p.probabilities.argmax(-1) for p in predict(store, 0, 1.0, True, True)]
                ).all()  # fmt: skip


def test_eyes_without_labels_or_disc_come_back_as_well(tmp_path):
    mask = np.zeros((8, 8), np.uint8)
    mask[2:6, 2:6] = 1
    nothing, found = np.eye(3)[np.zeros((8, 8), int)], np.eye(3)[mask]
    doubt = np.arange(64.0).reshape(8, 8)
    records = [
        score_eye("no label", "p", probabilities=found),
        score_eye("no disc", "q", probabilities=nothing, mask=mask, uncertainty=doubt, grade=2),
        score_eye("all", "r", probabilities=found, mask=mask, uncertainty=doubt, grade=0),
    ]
    write_arrays(tmp_path / RECORDS, arrays_of(records))
    back = read_records(tmp_path)
    for before, after in zip(records, back, strict=True):
        assert kept(before).keys() == after.keys()
        for name in kept(before):
            assert same(before[name], after[name]), (before["id"], name)

"""Scored eyes on disk and back, and the mean of two networks."""

import numpy as np
import pytest

from experiments.comparison.evaluation import (
    RECORDS,
    mean_predictions,
    read_masks,
    read_records,
    write_scored,
)
from experiments.prediction import EyePrediction
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


def one_eye(probabilities, eye_id="a"):
    return EyePrediction(
        index=0,
        id=eye_id,
        grade_probabilities=np.ones(3) / 3,
        probabilities=probabilities,
        sample_ids=None,
        entropy=None,
    )


def test_an_ensemble_is_the_mean_of_the_probabilities():
    first = np.array([[[0.8, 0.2, 0.0], [0.1, 0.5, 0.4]]])
    second = np.array([[[0.4, 0.0, 0.6], [0.3, 0.1, 0.6]]])
    (mean,) = mean_predictions([one_eye(first)], [one_eye(second)])
    np.testing.assert_allclose(mean.probabilities, [[[0.6, 0.1, 0.3], [0.2, 0.3, 0.5]]])
    # At the second pixel neither the first network's class nor a vote of one to one decides.
    assert mean.probabilities.argmax(-1).tolist() == [[0, 2]]
    assert mean.grade_probabilities is None


def test_an_ensemble_of_different_eyes_is_refused():
    p = np.full((1, 1, 3), 1 / 3)
    with pytest.raises(ValueError, match="a and b"):
        list(mean_predictions([one_eye(p)], [one_eye(p, "b")]))
    with pytest.raises(ValueError):
        list(mean_predictions([one_eye(p)], []))

import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score

from imo_jax.metrics import binary


def cases(seed=0, size=60):
    rng = np.random.default_rng(seed)
    positive = rng.random(size) < 0.4
    return np.round(np.clip(0.3 * positive + 0.7 * rng.random(size), 0, 1), 2), positive


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.77])
def test_as_in_scikit_learn(threshold):
    score, positive = cases()
    called = score >= threshold
    matrix = binary.confusion(score, positive, threshold).sum(axis=0)
    np.testing.assert_allclose(binary.f1(matrix), f1_score(positive, called))
    np.testing.assert_allclose(binary.sensitivity(matrix), recall_score(positive, called))
    np.testing.assert_allclose(binary.specificity(matrix), recall_score(~positive, ~called))


def test_by_hand():
    score, positive = np.array([0.2, 0.5, 0.6, 0.9]), np.array([False, True, False, True])
    matrix = binary.confusion(score, positive, 0.5).sum(axis=0)
    assert matrix.tolist() == [[1, 1], [0, 2]], "a score at the threshold is positive"
    assert (binary.f1(matrix), binary.specificity(matrix)) == (0.8, 0.5)


def test_undefined_is_nan():
    nothing = np.zeros((2, 2))
    values = [f(nothing) for f in (binary.f1, binary.sensitivity, binary.specificity)]
    assert np.isnan(values).all()
    only_negatives = np.array([[3, 1], [0, 0]])
    assert binary.f1(only_negatives) == 0 and np.isnan(binary.sensitivity(only_negatives))


def test_chosen_threshold_is_the_best_of_the_grid():
    score, positive = cases(1)
    chosen = binary.choose_threshold(score, positive)
    best = max(f1_score(positive, score >= t, zero_division=0) for t in np.arange(100) / 100)
    assert f1_score(positive, score >= chosen) == best
    assert len(binary.GRID) == 100


def test_chosen_threshold_in_the_middle_of_a_gap():
    score, positive = np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True])
    assert abs(binary.choose_threshold(score, positive) - 0.51) < 0.011
    assert binary.choose_threshold(score, np.zeros(4, bool)) == 0.5
    assert binary.choose_threshold(score[:0], positive[:0]) == 0.5

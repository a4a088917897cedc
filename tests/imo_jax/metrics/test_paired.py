import numpy as np
import pytest
from scipy import stats

from imo_jax.metrics.paired import wilcoxon_p


def test_six_differences_of_one_sign_by_hand():
    """All of 2^6 signs are equally likely; two of them are as extreme as all alike."""
    first = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    assert wilcoxon_p(first, first - np.arange(1, 7) / 100) == pytest.approx(2 / 64)


def test_ranks_by_hand():
    """Differences +1, -2, +3: signed ranks sum to 4 and -2; of 8 sign patterns 6 are as extreme."""
    assert wilcoxon_p(np.array([1.0, 0.0, 3.0]), np.array([0.0, 2.0, 0.0])) == pytest.approx(6 / 8)


def test_it_is_scipys_and_symmetric():
    rng = np.random.default_rng(0)
    first, second = rng.random(70), rng.random(70) + 0.1
    expected = stats.wilcoxon(first, second).pvalue
    assert wilcoxon_p(first, second) == wilcoxon_p(second, first) == pytest.approx(expected)


def test_equal_scores_do_not_differ():
    scores = np.array([0.5, 0.6])
    assert wilcoxon_p(scores, scores.copy()) == 1.0


@pytest.mark.parametrize("other", [np.zeros(2), np.zeros((3, 1))])
def test_scores_of_other_eyes_are_refused(other):
    with pytest.raises(ValueError, match="same eyes"):
        wilcoxon_p(np.zeros(3), other)
    with pytest.raises(ValueError, match="same eyes"):
        wilcoxon_p(np.zeros(0), np.zeros(0))

import numpy as np
import pytest

from imo_jax.metrics.ranking import auc, roc_curve, sensitivity_at_specificity


def random_scores(seed, n=40):
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    return np.round(rng.normal(size=n) + positive, 1), positive  # rounding makes ties


def test_auc_by_hand():
    score, positive = np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, True, False, True])
    assert auc(score, positive) == (1 + 0.5 + 1 + 1) / 4
    assert auc(-score, positive) == 1 - auc(score, positive)
    assert np.isnan(auc(score, np.ones(4, bool)))


@pytest.mark.parametrize("seed", range(3))
def test_auc_against_sklearn_with_weights(seed):
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    score, positive = random_scores(seed)
    weights = np.random.default_rng(9).integers(0, 4, (3, len(score)))
    expected = [sklearn_metrics.roc_auc_score(positive, score, sample_weight=w) for w in weights]
    np.testing.assert_allclose(auc(score, positive, weights), expected)
    np.testing.assert_allclose(auc(score, positive), sklearn_metrics.roc_auc_score(positive, score))


def test_sensitivity_by_hand():
    # Negatives 1, 2, 3, 4; positives 2.5, 3, 5. Specificity 3/4 allows t > 3: only 5 is found.
    score = np.array([1.0, 2.0, 3.0, 4.0, 2.5, 3.0, 5.0])
    positive = np.array([False] * 4 + [True] * 3)
    assert sensitivity_at_specificity(score, positive, 0.75) == 1 / 3
    assert sensitivity_at_specificity(score, positive, 0.50) == 1.0
    assert sensitivity_at_specificity(score, positive, 1.00) == 1 / 3
    assert sensitivity_at_specificity(-score, positive, 0.90) == 0.0
    assert np.isnan(sensitivity_at_specificity(score, np.zeros(7, bool), 0.9))


@pytest.mark.parametrize("specificity", [0.8, 0.9, 0.95])
def test_sensitivity_against_the_roc_curve(specificity):
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    score, positive = random_scores(5, n=200)
    false, true, _ = sklearn_metrics.roc_curve(positive, score, drop_intermediate=False)
    expected = true[1 - false >= specificity - 1e-9].max()
    got = sensitivity_at_specificity(score, positive, specificity)
    np.testing.assert_allclose(got, expected)


def test_weights_are_repetitions():
    score, positive = random_scores(2)
    weights = np.random.default_rng(3).integers(0, 3, len(score))
    repeated = np.repeat(score, weights), np.repeat(positive, weights)
    np.testing.assert_allclose(auc(score, positive, weights), auc(*repeated))
    np.testing.assert_allclose(
        sensitivity_at_specificity(score, positive, 0.9, weights),
        sensitivity_at_specificity(*repeated, 0.9),
    )


def test_roc_curve_as_in_scikit_learn():
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    score, positive = random_scores(3)
    expected = sklearn_metrics.roc_curve(positive, score, drop_intermediate=False)
    for rates, of_sklearn in zip(roc_curve(score, positive), expected, strict=False):
        np.testing.assert_allclose(rates, of_sklearn)
    assert np.isnan(roc_curve(score, np.ones(len(score), bool))[0]).all()

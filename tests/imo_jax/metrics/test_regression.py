import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from imo_jax.metrics import regression

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(-8.0, 6.0, 40)
PREDICTED = 0.7 * TRUTH + RNG.normal(0.0, 2.0, 40)
WEIGHTS = RNG.integers(0, 4, (3, 40)).astype(np.float64)


def repeated(w, values):
    return np.repeat(values, w.astype(int))


@pytest.mark.parametrize(
    ("statistic", "oracle"),
    [
        (regression.pearson, lambda a, b: pearsonr(a, b)[0]),
        (regression.mean_absolute_error, mean_absolute_error),
        (regression.root_mean_squared_error, root_mean_squared_error),
    ],
)
def test_as_in_scipy_and_scikit_learn(statistic, oracle):
    """Weights are repetitions."""
    weights = np.concatenate([np.ones((1, 40)), WEIGHTS])
    expected = [oracle(repeated(w, TRUTH), repeated(w, PREDICTED)) for w in weights]
    np.testing.assert_allclose(statistic(TRUTH, PREDICTED)(weights), expected, rtol=1e-10)


def test_by_hand():
    truth, predicted = np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 1.0])
    one = np.ones((1, 3))
    assert regression.mean_absolute_error(truth, predicted)(one) == 4 / 3
    np.testing.assert_allclose(
        regression.root_mean_squared_error(truth, predicted)(one), 8**0.5 / 3**0.5
    )
    np.testing.assert_allclose(regression.pearson(truth, predicted)(one), 0.0, atol=1e-12)
    np.testing.assert_allclose(regression.pearson(truth, -2 * truth)(one), -1.0)


def test_what_does_not_vary_has_no_correlation():
    constant = np.full(40, -7.3)
    assert np.isnan(regression.pearson(TRUTH, constant)(WEIGHTS)).all()
    one_patient = np.zeros((1, 40))
    one_patient[0, 5] = 4
    assert np.isnan(regression.pearson(TRUTH, PREDICTED)(one_patient)).all()
    nobody = np.zeros((1, 40))
    assert np.isnan(regression.mean_absolute_error(TRUTH, PREDICTED)(nobody)).all()
    assert np.isnan(regression.pearson(TRUTH, PREDICTED)(nobody)).all()

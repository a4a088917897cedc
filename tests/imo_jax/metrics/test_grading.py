import numpy as np
import pytest

from imo_jax.metrics import grading

sklearn_metrics = pytest.importorskip("sklearn.metrics")


def test_confusion_by_hand_and_out_of_range():
    matrix = grading.confusion(np.array([0, 0, 2]), np.array([0, 1, 2]), 3)
    np.testing.assert_array_equal(matrix, [[1, 1, 0], [0, 0, 0], [0, 0, 1]])
    with pytest.raises(ValueError, match=r"0\.\.2, found \[0, 3\]"):
        grading.confusion(np.array([0]), np.array([3]), 3)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("num_grades", [2, 3])
def test_against_sklearn(seed, num_grades):
    rng = np.random.default_rng(seed)
    # Few eyes, so that some grades are absent from the truth or the prediction.
    truth, predicted = rng.integers(0, num_grades, (2, 5))
    matrix = grading.confusion(truth, predicted, num_grades)
    precision, recall, f1, _ = sklearn_metrics.precision_recall_fscore_support(
        truth, predicted, average="macro", zero_division=0
    )
    np.testing.assert_allclose(grading.accuracy(matrix), np.mean(truth == predicted))
    np.testing.assert_allclose(grading.macro_precision(matrix), precision)
    np.testing.assert_allclose(grading.macro_recall(matrix), recall)
    np.testing.assert_allclose(grading.macro_f1(matrix), f1)
    kappa = sklearn_metrics.cohen_kappa_score(
        truth, predicted, weights="quadratic", labels=range(num_grades)
    )
    np.testing.assert_allclose(grading.quadratic_weighted_kappa(matrix), kappa, atol=1e-12)


def test_kappa_of_the_papers_confusion():
    # 8/8, 3/8 and 4/4 right, the rest called one grade worse: facts give 0.815 to 0.830.
    matrix = np.array([[8, 0, 0], [0, 3, 5], [0, 0, 4]])
    assert 0.81 < grading.quadratic_weighted_kappa(matrix) < 0.835
    assert grading.accuracy(matrix) == 15 / 20


def test_kappa_special_values():
    assert grading.quadratic_weighted_kappa(np.diag([3, 2, 1])) == 1
    assert grading.quadratic_weighted_kappa(np.array([[3, 0], [2, 0]])) == 0  # always normal
    for undefined in (np.diag([0, 5, 0]), np.diag([1, 0, 0])):
        assert np.isnan(grading.quadratic_weighted_kappa(undefined))
    assert np.isnan(grading.quadratic_weighted_kappa(np.zeros((3, 3), int)))
    assert grading.quadratic_weighted_kappa(np.array([[0, 4], [4, 0]])) == -1


@pytest.mark.parametrize(
    "metric",
    [grading.accuracy, grading.macro_precision, grading.macro_recall, grading.macro_f1,
     grading.quadratic_weighted_kappa],
)  # fmt: skip
def test_many_matrices_at_once_equal_one_by_one(metric):
    matrices = np.random.default_rng(0).integers(0, 4, (2, 7, 3, 3))
    matrices[0, 0] = 0
    one_by_one = [[metric(m) for m in row] for row in matrices]
    np.testing.assert_array_equal(metric(matrices), one_by_one)

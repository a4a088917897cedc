"""Scores of a grading from its confusion matrix; for any number of grades, two among them.

Every function takes (..., G, G) counts (rows = truth) and returns (...), so that thousands of
bootstrap resamples are scored at once. The definitions are scikit-learn's (tests compare).
"""

import numpy as np


def confusion(truth: np.ndarray, predicted: np.ndarray, num_grades: int) -> np.ndarray:
    """(G, G) int64 counts of (true, predicted) from two (N,) integer arrays in 0..G-1.

    Raises:
      ValueError: a grade out of range.
    """
    both = np.concatenate([truth, predicted])
    if len(both) and not (0 <= both.min() and both.max() < num_grades):
        raise ValueError(f"grades must be 0..{num_grades - 1}, found {np.unique(both).tolist()}")
    table = np.zeros((num_grades, num_grades), np.int64)
    np.add.at(table, (truth, predicted), 1)
    return table


def accuracy(matrix: np.ndarray) -> np.ndarray:
    """Share of eyes with the right grade; NaN without eyes."""
    return _ratio(np.trace(matrix, axis1=-2, axis2=-1), matrix.sum(axis=(-2, -1)), np.nan)


def macro_precision(matrix: np.ndarray) -> np.ndarray:
    """Mean over grades of right / predicted; a grade never predicted counts 0.

    As everywhere below, the mean is over the grades that occur in truth or prediction.
    """
    return _macro(matrix, _hits(matrix), matrix.sum(axis=-2))


def macro_recall(matrix: np.ndarray) -> np.ndarray:
    """Mean over grades of right / true; a grade that only the prediction has counts 0."""
    return _macro(matrix, _hits(matrix), matrix.sum(axis=-1))


def macro_f1(matrix: np.ndarray) -> np.ndarray:
    """Mean over grades of 2 right / (true + predicted)."""
    return _macro(matrix, 2 * _hits(matrix), matrix.sum(axis=-2) + matrix.sum(axis=-1))


def quadratic_weighted_kappa(matrix: np.ndarray) -> np.ndarray:
    """Cohen's kappa with weights (i - j)^2, the GAMMA challenge's grading score: at most 1.

    NaN where it is 0/0: without eyes, and where truth and prediction are all of one and the same
    grade, so that chance agrees perfectly.
    """
    grades = np.arange(matrix.shape[-1])
    weights = np.square(grades[:, None] - grades[None, :])
    # (..., G, 1) * (..., 1, G): what two independent gradings with these totals would give
    rows, columns = matrix.sum(axis=-1), matrix.sum(axis=-2)
    observed = (weights * matrix).sum(axis=(-2, -1)) * matrix.sum(axis=(-2, -1))
    expected = (weights * rows[..., :, None] * columns[..., None, :]).sum(axis=(-2, -1))
    return 1.0 - _ratio(observed, expected, np.nan)


def _hits(matrix: np.ndarray) -> np.ndarray:
    return np.diagonal(matrix, axis1=-2, axis2=-1)


def _macro(matrix: np.ndarray, numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Mean of numerator / denominator (0 for 0/0) over the grades that occur; NaN without eyes."""
    occurs = matrix.sum(axis=-2) + matrix.sum(axis=-1) > 0
    scores = np.where(occurs, _ratio(numerator, denominator, 0.0), 0.0)
    return _ratio(scores.sum(axis=-1), occurs.sum(axis=-1), np.nan)


def _ratio(numerator: np.ndarray, denominator: np.ndarray, empty: float) -> np.ndarray:
    nothing = denominator == 0
    return np.where(nothing, empty, numerator / np.where(nothing, 1, denominator))

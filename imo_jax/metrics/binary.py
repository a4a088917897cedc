"""Decisions of two classes at a threshold, for weighted examples, and the choice of a threshold.

An example is called positive where its score is at least the threshold. `weights` (..., N) as in
`ranking`; every function returns (...).
"""

import numpy as np

GRID = np.arange(100) / 100.0  # thresholds to choose from: 0, 0.01, ... 0.99


def confusion(score: np.ndarray, positive: np.ndarray, threshold: float) -> np.ndarray:
    """(N, 2, 2) int64: each example's own matrix of (true, called positive), a single 1.

    Sums of them, weighted or not, are what the functions below take.

    Args:
      score: (N,).
      positive: (N,) bool.
    """
    matrices = np.zeros((len(score), 2, 2), np.int64)
    matrices[np.arange(len(score)), positive.astype(int), (score >= threshold).astype(int)] = 1
    return matrices


def f1(matrix: np.ndarray) -> np.ndarray:
    """2 TP / (2 TP + FP + FN) of the positive class: (..., 2, 2) -> (...).

    NaN where no example is positive and none is called so; there is nothing to be found then.
    """
    hits = 2 * matrix[..., 1, 1]
    return _ratio(hits, hits + matrix[..., 0, 1] + matrix[..., 1, 0])


def sensitivity(matrix: np.ndarray) -> np.ndarray:
    """Share of the positives called positive: (..., 2, 2) -> (...); NaN without positives."""
    return _ratio(matrix[..., 1, 1], matrix[..., 1, :].sum(axis=-1))


def specificity(matrix: np.ndarray) -> np.ndarray:
    """Share of the negatives called negative: (..., 2, 2) -> (...); NaN without negatives."""
    return _ratio(matrix[..., 0, 0], matrix[..., 0, :].sum(axis=-1))


def choose_threshold(score: np.ndarray, positive: np.ndarray) -> float:
    """The threshold of GRID with the highest F1, to be chosen on a validation split.

    Where several do equally well (classes that are well apart leave a gap), the one in the middle
    of them: the first would be as close to a mistake as can be. 0.5 where F1 is defined nowhere,
    without examples or positives.
    """
    if not np.any(positive):
        return 0.5
    scores = np.array([f1(confusion(score, positive, t).sum(axis=0)) for t in GRID])
    best = GRID[scores == scores.max()]
    return float(best[len(best) // 2])


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    nothing = denominator == 0
    return np.where(nothing, np.nan, numerator / np.where(nothing, 1, denominator))

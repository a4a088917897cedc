"""Paired comparison of two methods by a score of each eye."""

import numpy as np
from scipy import stats


def wilcoxon_p(first: np.ndarray, second: np.ndarray) -> float:
    """Two-sided p value of Wilcoxon's signed-rank test: are the paired differences around 0?

    Pairs that are equal are left out (Wilcoxon's rule); where all are, nothing speaks against 0 and
    the value is 1. Both eyes of a patient count as independent, which makes p a little too small.

    Args:
      first, second: (N,) scores of the same eyes, finite.

    Returns:
      0..1.

    Raises:
      ValueError: not the same number of eyes, or none.
    """
    if first.shape != second.shape or first.ndim != 1 or len(first) == 0:
        raise ValueError(f"not scores of the same eyes: {first.shape} and {second.shape}")
    if np.array_equal(first, second):
        return 1.0
    return float(stats.wilcoxon(first, second).pvalue)

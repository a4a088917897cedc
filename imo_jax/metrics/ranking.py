"""How well a score separates positives from negatives, for weighted examples.

`weights` (..., N) says how often each example counts; leading axes are bootstrap resamples, scored
at once. Without weights every example counts once and the result is a scalar array.
"""

import numpy as np


def auc(score: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Area under the ROC curve: P(score of a positive > that of a negative) + P(equal) / 2.

    Args:
      score: (N,) higher = more likely positive.
      positive: (N,) bool.
      weights: (..., N) >= 0, or None.

    Returns:
      (...) in 0..1; NaN where there are no positives or no negatives.
    """
    hits, misses = _by_score(score, positive, weights)
    below = np.cumsum(misses, axis=-1) - misses
    pairs = hits.sum(axis=-1) * misses.sum(axis=-1)
    ordered = (hits * (below + 0.5 * misses)).sum(axis=-1)
    return np.where(pairs > 0, ordered / np.where(pairs > 0, pairs, 1.0), np.nan)


def sensitivity_at_specificity(
    score: np.ndarray,
    positive: np.ndarray,
    specificity: float,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Highest sensitivity of any threshold "score >= t" whose specificity is at least the given.

    No interpolation between thresholds: what is reported can be had. Arguments and NaN as `auc`;
    `specificity` in 0..1.
    """
    hits, misses = _by_score(score, positive, weights)
    total_hits = hits.sum(axis=-1, keepdims=True)
    total_misses = misses.sum(axis=-1, keepdims=True)
    # At threshold u: negatives strictly below u are right, positives from u upwards are found.
    right = np.cumsum(misses, axis=-1) - misses
    found = total_hits - (np.cumsum(hits, axis=-1) - hits)
    allowed = right >= (specificity - 1e-9) * total_misses
    # Above the highest score nothing is called positive: sensitivity 0 is always to be had.
    best = np.where(allowed, found, 0.0).max(axis=-1)
    defined = (total_hits * total_misses)[..., 0] > 0
    return np.where(defined, best / np.where(defined, total_hits[..., 0], 1.0), np.nan)


def roc_curve(score: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """1 - specificity and sensitivity of every threshold, from (0, 0) to (1, 1).

    Args:
      score: (N,).
      positive: (N,) bool.

    Returns:
      Two ascending arrays (U + 1,), U distinct scores; one of NaN where there are no negatives or
      no positives.
    """
    hits, misses = _by_score(score, positive, None)
    rates = [np.append(0.0, np.cumsum(counts[::-1])) for counts in (misses, hits)]
    false, found = (r / r[-1] if r[-1] > 0 else np.full_like(r, np.nan) for r in rates)
    return false, found


def _by_score(
    score: np.ndarray, positive: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Weight of positives and of negatives at each distinct score, ascending: (..., U) each."""
    if weights is None:
        weights = np.ones(len(score))
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    weights = weights[..., order].astype(np.float64)
    positive = positive[order].astype(np.float64)
    hits = np.add.reduceat(weights * positive, starts, axis=-1)
    misses = np.add.reduceat(weights * (1.0 - positive), starts, axis=-1)
    return hits, misses

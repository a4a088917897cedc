"""Percentile bootstrap by patient: both eyes of a patient are drawn together, or not at all.

A statistic is a function of `weights` (R, N), how often each of N eyes counts in each of R
resamples, to (R,) values. With per-eye sums that is a matrix product, so 2000 resamples of every
metric take well under a second.
"""

from collections.abc import Callable, Sequence

import numpy as np

Statistic = Callable[[np.ndarray], np.ndarray]
Interval = dict[str, float]

RESAMPLES = 2000


def patient_weights(
    patients: Sequence[str], resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """How often each eye is drawn when as many patients as there are are drawn with replacement.

    Args:
      patients: the patient of each of N eyes.

    Returns:
      (resamples, N) float64.
    """
    names, patient_of_eye = np.unique(np.asarray(patients), return_inverse=True)
    draws = rng.multinomial(len(names), np.full(len(names), 1.0 / len(names)), size=resamples)
    return draws[:, patient_of_eye].astype(np.float64)


def weighted_mean(values: np.ndarray) -> Statistic:
    """The statistic "mean of the (N,) per-eye values"; NaN values are left out."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)

    def statistic(weights: np.ndarray) -> np.ndarray:
        total = weights @ known.astype(np.float64)
        return np.where(total > 0, weights @ filled / np.where(total > 0, total, 1.0), np.nan)

    return statistic


def of_sums(per_eye: np.ndarray, metric: Callable[[np.ndarray], np.ndarray]) -> Statistic:
    """The statistic `metric(sum of per_eye)`: per_eye (N, ...), metric (R, ...) -> (R,)."""
    # (N, ...) -> (N, K), and back to (R, ...) after the product
    flat = per_eye.reshape(len(per_eye), -1).astype(np.float64)

    def statistic(weights: np.ndarray) -> np.ndarray:
        return metric((weights @ flat).reshape(-1, *per_eye.shape[1:]))

    return statistic


def interval(statistic: Statistic, weights: np.ndarray, confidence: float = 0.95) -> Interval:
    """Value on the set itself, with the percentile interval over the resamples.

    Resamples in which the statistic is undefined (NaN: no positive eye drawn, say) are left out.
    The interval is widened to hold the value: resampling biases a few statistics (a calibration
    error grows with every repeated eye), and an interval beside its value would only confuse.

    Args:
      statistic: weights (R, N) -> (R,).
      weights: (R, N) from `patient_weights`.
      confidence: in 0..1.

    Returns:
      {"value", "low", "high"}, floats; all NaN where the value is undefined.
    """
    value = float(statistic(np.ones((1, weights.shape[1])))[0])
    values = statistic(weights)
    values = values[np.isfinite(values)]
    if not np.isfinite(value) or len(values) == 0:
        return {"value": value, "low": np.nan, "high": np.nan}
    tail = 50.0 * (1.0 - confidence)
    low, high = np.percentile(values, [tail, 100.0 - tail])
    return {"value": value, "low": min(float(low), value), "high": max(float(high), value)}


def difference(
    first: Statistic, second: Statistic, weights: np.ndarray, confidence: float = 0.95
) -> Interval:
    """Paired comparison: interval of first - second on the same eyes, drawn alike for both.

    An interval without 0 says that the two methods differ; those of the methods by themselves
    would not, since most of their width is which eyes are in the set.
    """
    return interval(lambda w: first(w) - second(w), weights, confidence)

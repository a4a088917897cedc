"""How near predicted measurements are: statistics of (truth, prediction) pairs for `bootstrap`."""

import numpy as np

from imo_jax.metrics.bootstrap import Statistic, of_sums, weighted_mean


def pearson(truth: np.ndarray, predicted: np.ndarray) -> Statistic:
    """Pearson's correlation of (N,) pairs, weights (R, N) -> (R,) in -1..1.

    NaN where one of the two does not vary, which is so for a constant prediction.
    """
    # About the mean of the set: sums of squares then lose nothing that matters.
    x, y = (_standardised(values) for values in (truth, predicted))
    sums = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=-1)
    return of_sums(sums, _correlation)


def mean_absolute_error(truth: np.ndarray, predicted: np.ndarray) -> Statistic:
    """Mean |predicted - truth| of (N,) pairs, in their unit."""
    return weighted_mean(np.abs(predicted - truth))


def root_mean_squared_error(truth: np.ndarray, predicted: np.ndarray) -> Statistic:
    """Root of the mean squared difference of (N,) pairs, in their unit."""
    mean = weighted_mean(np.square(predicted - truth))
    return lambda weights: np.sqrt(mean(weights))


def _standardised(values: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1, or all 0."""
    centred = values.astype(np.float64) - values.mean()
    spread = centred.std()
    return centred / spread if spread > 1e-9 * np.abs(values).max() else np.zeros_like(centred)


def _correlation(sums: np.ndarray) -> np.ndarray:
    """From sums of 1, x, y, xx, yy, xy: (R, 6) -> (R,)."""
    _, x, y, xx, yy, xy = sums.T / np.maximum(sums[:, 0], 1e-300)
    varies = (xx - x * x > 1e-12) & (yy - y * y > 1e-12)
    spread = np.sqrt(np.where(varies, (xx - x * x) * (yy - y * y), 1.0))
    return np.where(varies, np.clip((xy - x * y) / spread, -1.0, 1.0), np.nan)

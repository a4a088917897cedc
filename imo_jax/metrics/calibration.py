"""Whether stated probabilities are met: expected calibration error, Brier score, likelihood."""

import numpy as np

from imo_jax.labels import CUP, IGNORE, RIM

NUM_BINS = 10
SMALLEST = 1e-7  # probabilities below are raised to it in logarithms (a float32 softmax can be 0)


def calibration_bins(
    confidence: np.ndarray, correct: np.ndarray, num_bins: int = NUM_BINS
) -> np.ndarray:
    """Sums by confidence, in bins of equal width over 0..1, the mergeable form of `ece`.

    Args:
      confidence: (N,) probability of the predicted class.
      correct: (N,) bool.

    Returns:
      (num_bins, 3) float64: examples, summed confidence, summed correctness. Bins of different
      eyes may be added.
    """
    index = np.minimum((confidence * num_bins).astype(np.int64), num_bins - 1)
    columns = (np.ones(len(index)), confidence.astype(np.float64), correct.astype(np.float64))
    return np.stack([np.bincount(index, c, minlength=num_bins) for c in columns], axis=-1)


def ece(bins: np.ndarray) -> np.ndarray:
    """Expected calibration error (Guo et al. 2017, eq. 3): (..., num_bins, 3) -> (...), 0..1.

    Mean over examples of |accuracy - confidence| of their bin; NaN without examples.
    """
    count, confidence, correct = np.moveaxis(bins, -1, 0)
    total = count.sum(axis=-1)
    gap = np.abs(correct - confidence).sum(axis=-1)
    return np.where(total > 0, gap / np.where(total > 0, total, 1.0), np.nan)


def reliability_curve(bins: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean confidence, accuracy and number of examples of the bins that hold any: (M,) each."""
    count, confidence, correct = bins[bins[:, 0] > 0].T
    return confidence / count, correct / count, count


def brier(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Squared distance to the one-hot truth, 0..2, of each example: (N, C), (N,) int -> (N,)."""
    target = np.eye(probabilities.shape[-1])[truth]
    return np.square(probabilities - target).sum(axis=-1)


def nll(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Negative log-likelihood in nats of each example: (N, C), (N,) int -> (N,)."""
    true = np.take_along_axis(probabilities.astype(np.float64), truth[:, None], axis=-1)[:, 0]
    return -np.log(np.maximum(true, SMALLEST))


def around_disc(truth: np.ndarray, margin: float = 0.5) -> tuple[slice, slice]:
    """The box in which pixels are hard: the true disc with `margin` times its size on each side.

    99 % of a photograph is background that any model gets right with certainty, which makes a
    calibration error over all pixels look perfect. The whole image where there is no disc.
    """
    disc = (truth == RIM) | (truth == CUP)
    spans = []
    for axis in (1, 0):
        hit = np.flatnonzero(disc.any(axis=axis))
        if len(hit) == 0:
            return slice(None), slice(None)
        pad = round(margin * (hit[-1] - hit[0] + 1))
        spans.append(slice(max(int(hit[0]) - pad, 0), int(hit[-1]) + 1 + pad))
    return spans[0], spans[1]


def pixel_calibration(
    probabilities: np.ndarray, truth: np.ndarray, num_bins: int = NUM_BINS
) -> dict[str, np.ndarray]:
    """Sums over the pixels that have a label; cut both to `around_disc` first.

    Args:
      probabilities: (H, W, C) float.
      truth: (H, W) integer ids, 255 = ignore.

    Returns:
      `bins` (num_bins, 3) as `calibration_bins`; float64 scalars `brier`, `nll` (summed) and
      `pixels`.
    """
    kept = truth != IGNORE
    # (H, W, C) -> (pixels, C)
    probabilities, truth = probabilities[kept], truth[kept].astype(np.int64)
    correct = probabilities.argmax(axis=-1) == truth
    return {
        "bins": calibration_bins(probabilities.max(axis=-1), correct, num_bins),
        "brier": brier(probabilities, truth).sum(),
        "nll": nll(probabilities, truth).sum(),
        "pixels": np.float64(len(truth)),
    }

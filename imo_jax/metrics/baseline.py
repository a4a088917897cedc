"""What is scored without looking at the eye: mean shape at mean position, commonest grade."""

import numpy as np
from scipy import ndimage

from imo_jax.labels import BACKGROUND, CUP, RIM


def mean_shape(masks: np.ndarray) -> np.ndarray:
    """The mean disc and cup of a training set, at the discs' mean position.

    Each mask is moved so that its disc's centre lies on the mean centre; a pixel is then disc (or
    cup) where at least half of the moved masks say so.

    Args:
      masks: (N, S, S) integer ids in a common working frame; masks without a disc are left out.

    Returns:
      (S, S) uint8 ids: the prediction for every eye.

    Raises:
      ValueError: no mask has a disc.
    """
    discs = (masks == RIM) | (masks == CUP)
    seen = discs.any(axis=(1, 2))
    if not seen.any():
        raise ValueError("the mean shape needs at least one training mask with a disc")
    masks, discs = masks[seen], discs[seen]
    centres = np.array([ndimage.center_of_mass(disc) for disc in discs])
    moves = np.rint(centres.mean(axis=0) - centres).astype(int)
    disc = np.mean([_shift(d, *move) for d, move in zip(discs, moves, strict=True)], axis=0)
    cup = np.mean([_shift(m == CUP, *move) for m, move in zip(masks, moves, strict=True)], axis=0)
    shape = np.where(disc >= 0.5, RIM, BACKGROUND)
    return np.where(cup >= 0.5, CUP, shape).astype(np.uint8)


def _shift(mask: np.ndarray, down: int, right: int) -> np.ndarray:
    """`mask` moved by whole pixels; what leaves is lost, what enters is False."""
    return ndimage.shift(mask.astype(np.uint8), (down, right), order=0) > 0


def grade_frequencies(grades: np.ndarray, num_grades: int) -> np.ndarray:
    """(G,) float64 shares of the grades in a training set; the argmax is the majority grade.

    As grade probabilities of every eye they are the baseline's prediction, and a calibrated one.

    Raises:
      ValueError: no grades at all.
    """
    if len(grades) == 0:
        raise ValueError("the majority grade needs at least one graded training eye")
    return np.bincount(grades, minlength=num_grades) / len(grades)

"""Overlap of id maps: one pixel confusion matrix an eye, from which every Dice follows.

The paper's numbers are micro: areas summed over the set, then one division a class, and a mean over
three classes with the background among them; its "optic disc" row is the rim. Clinicians and the
GAMMA/REFUGE challenges score the whole disc (rim + cup) and the cup, per eye. Both are here.
"""

import numpy as np

from imo_jax.labels import CLASS_NAMES, IGNORE


def pixel_confusion(
    predicted: np.ndarray, truth: np.ndarray, num_classes: int = len(CLASS_NAMES)
) -> np.ndarray:
    """Counts of (true id, predicted id) over the pixels that have a label.

    Args:
      predicted: (H, W) integer ids 0..num_classes-1.
      truth: (H, W) integer ids 0..num_classes-1, or 255 = ignore (left out everywhere).

    Returns:
      (num_classes, num_classes) int64, rows = truth. Matrices of eyes may be added.

    Raises:
      ValueError: shapes differ, or an id is out of range (the values found are named).
    """
    if predicted.shape != truth.shape:
        raise ValueError(f"prediction {predicted.shape} and truth {truth.shape} differ in shape")
    kept = truth != IGNORE
    true, found = truth[kept].astype(np.int64), predicted[kept].astype(np.int64)
    for name, ids in (("truth", true), ("prediction", found)):
        if ids.size and not (0 <= ids.min() and ids.max() < num_classes):
            raise ValueError(
                f"ids must be 0..{num_classes - 1} (in the truth also {IGNORE}); the {name} has "
                f"{np.unique(ids).tolist()}"
            )
    counts = np.bincount(true * num_classes + found, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def areas(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Intersection, predicted and true area of each class: (..., C) each, from (..., C, C)."""
    intersect = np.diagonal(confusion, axis1=-2, axis2=-1)
    return intersect, confusion.sum(axis=-2), confusion.sum(axis=-1)


def micro_dice(confusion: np.ndarray) -> np.ndarray:
    """Dice of each class from areas summed over a set: (..., C, C) -> (..., C), in 0..1.

    NaN for a class that occurs neither in the truth nor in the prediction of the set.
    """
    intersect, predicted, true = areas(confusion)
    return _ratio(2.0 * intersect, predicted + true, empty=np.nan)


def micro_mdice(confusion: np.ndarray) -> np.ndarray:
    """The paper's mDice: mean of `micro_dice` over the classes, background included: (...).

    A class that occurs nowhere in the set is left out, as in mmsegmentation.
    """
    dice = micro_dice(confusion)
    occurs = np.isfinite(dice)
    return _ratio(np.where(occurs, dice, 0.0).sum(axis=-1), occurs.sum(axis=-1), empty=np.nan)


def region_dice(confusion: np.ndarray, ids: tuple[int, ...]) -> np.ndarray:
    """Dice of the union of `ids`, such as (1, 2) for the whole disc: (..., C, C) -> (...), 0..1.

    Empty rule: 1 where the region is empty in truth and in prediction, 0 where in one of them.
    (MONAI's DiceMetric gives NaN for an empty truth by default and so does not see the eye.)
    """
    # Both axes cut down to the region's ids: (..., C, C) -> (..., R, R)
    intersect = confusion[..., ids, :][..., ids].sum(axis=(-2, -1))
    predicted = confusion[..., ids].sum(axis=(-2, -1))
    true = confusion[..., ids, :].sum(axis=(-2, -1))
    return _ratio(2.0 * intersect, predicted + true, empty=1.0)


def _ratio(numerator: np.ndarray, denominator: np.ndarray, empty: float) -> np.ndarray:
    """numerator / denominator, `empty` where the denominator is 0."""
    nothing = denominator == 0
    return np.where(nothing, empty, numerator / np.where(nothing, 1, denominator))

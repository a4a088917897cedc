"""Cup-to-disc ratios of an id map, and of class probabilities."""

import numpy as np
from scipy import ndimage

from imo_jax.labels import CUP, RIM

HALF = 0.5  # probability at a region's contour


def vertical_cdr(ids: np.ndarray, *, largest_component: bool = True) -> float:
    """Vertical cup-to-disc ratio: rows from the cup's top to its bottom over those of the disc.

    Args:
      ids: (H, W) integer ids; disc = rim + cup, everything else (255 too) is outside.
      largest_component: measure the largest 4-connected piece of the disc, and of the cup in it,
        as a reader would; a single stray pixel elsewhere would otherwise stretch the extent. Masks
        drawn by readers have one piece, for which both are the same.

    Returns:
      0..1; 0 where there is a disc without a cup; NaN where there is no disc.
    """
    disc, cup = disc_and_cup(ids, largest_component)
    if not disc.any():
        return float("nan")
    return _rows(cup) / _rows(disc)


def ratio_errors(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """|predicted - true| of the ratios of eyes.

    Args:
      predicted, true: (N,) float, NaN where there is no disc.

    Returns:
      (N,) float: NaN where the truth has no disc; where the prediction has none, as if it said 0, for a miss must cost.
    """
    return np.abs(np.nan_to_num(predicted, nan=0.0) - true)


def soft_vertical_cdr(probabilities: np.ndarray) -> float:
    """Vertical cup-to-disc ratio of probabilities, finer than a row.

    The contour of a region lies where its probability crosses one half: between the centres of two
    pixels of a column, linearly. Of probabilities that are 0 and 1 the result is `vertical_cdr`'s.

    Args:
      probabilities: (H, W, 3) float of background, rim and cup; the disc is rim + cup.

    Returns:
      As `vertical_cdr`, of the largest 4-connected pieces.
    """
    cup = probabilities[..., CUP]
    disc = cup + probabilities[..., RIM]
    inside = _largest(disc > HALF)
    if not inside.any():
        return float("nan")
    return _height(cup, _largest((cup > HALF) & inside)) / _height(disc, inside)


def disc_and_cup(ids: np.ndarray, largest_component: bool) -> tuple[np.ndarray, np.ndarray]:
    """Bool masks of the disc and of its cup, cut to the disc's bounding box to be quick."""
    ids = _cut_to(ids, (ids == RIM) | (ids == CUP))
    disc, cup = (ids == RIM) | (ids == CUP), ids == CUP
    if largest_component:
        disc = _largest(disc)
        cup = _largest(cup & disc)
    return disc, cup


def _cut_to(array: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`array` within the bounding box of `mask`; of shape (0, 0) where the mask is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return array[:0, :0]
    return array[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest 4-connected piece of `mask` (the first of equals)."""
    pieces, number = ndimage.label(mask)
    if number <= 1:
        return mask
    return pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])


def _rows(mask: np.ndarray) -> int:
    """Rows from the first to the last that the mask touches."""
    rows = np.flatnonzero(mask.any(axis=1))
    return 0 if len(rows) == 0 else int(rows[-1] - rows[0] + 1)


def _height(probability: np.ndarray, piece: np.ndarray) -> float:
    """Rows between the highest and the lowest crossing of one half around a piece."""
    rows = np.flatnonzero(piece.any(axis=1))
    if len(rows) == 0:
        return 0.0
    top, bottom = int(rows[0]), int(rows[-1])
    above = _beyond(probability, piece, top, top - 1)
    below = _beyond(probability, piece, bottom, bottom + 1)
    return bottom - top + above + below


def _beyond(probability: np.ndarray, piece: np.ndarray, row: int, outside: int) -> float:
    """Rows from the centres of an outermost row to the farthest crossing towards the next one."""
    if not 0 <= outside < len(piece):
        return 0.5  # the edge of the picture
    inner = probability[row, piece[row]].astype(np.float64)
    outer = probability[outside, piece[row]].astype(np.float64)
    return float(np.max((inner - HALF) / (inner - outer)))

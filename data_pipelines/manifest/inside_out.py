"""Masks whose rim lies inside their cup: their codes are swapped."""

import numpy as np
from scipy import ndimage

from data_pipelines.images import CUP, RIM


def is_inside_out(ids: np.ndarray) -> bool:
    """Whether most of the rim lies in holes of the cup; False without a rim or a cup.

    Args:
      ids: (height, width) of ids.
    """
    if not ((ids == RIM).any() and (ids == CUP).any()):
        return False
    rows, columns = ndimage.find_objects(((ids == RIM) | (ids == CUP)).astype(int))[0]
    box = ids[rows, columns]
    holes = ndimage.binary_fill_holes(box == CUP) & (box == RIM)
    return bool(np.count_nonzero(holes) > 0.5 * np.count_nonzero(box == RIM))

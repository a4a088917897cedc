"""Grey pictures that are stored in colour."""

from __future__ import annotations

import numpy as np

# Mean difference between the channels of a picture up to which it counts as grey.
GREY_ENOUGH = 2


def is_coloured(pixels: np.ndarray) -> bool:
    """Whether (..., 3) pixels are more than grey in three channels."""
    return colourfulness(pixels) > GREY_ENOUGH


def colourfulness(pixels: np.ndarray) -> float:
    """Mean difference between the channels of (..., 3) pixels."""
    return float((pixels.max(axis=-1).astype(np.int32) - pixels.min(axis=-1)).mean())


def luminance(colours: np.ndarray) -> np.ndarray:
    """(..., 3 or 4) -> (...), ITU-R 601 luma, dtype kept."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    grey = colours[..., :3].astype(np.float32) @ weights
    return grey if colours.dtype.kind == "f" else np.rint(grey).astype(colours.dtype)

"""Outlines of disc and cup as paths of SVG: small, sharp at any size, switched on and off."""

import contourpy
import numpy as np
from scipy import ndimage

from imo_jax.labels import BACKGROUND, CUP, RIM
from imo_jax.visualisation.tiles import Box, narrow

UNITS = 1000  # of a path's coordinates across the box
SHORTEST = 6  # units between two points that are kept
SMOOTHING = 0.8  # pixels, of a map of ids, whose border is a staircase


def probability_paths(probabilities: np.ndarray, box: Box) -> dict[str, str]:
    """The borders of the most probable classes, to a fraction of a pixel.

    Args:
      probabilities: (H, W, 3) float of background, rim and cup.
      box: the part of the image whose sides are 0 and UNITS.

    Returns:
      `disc` and `cup`, each the `d` of a path of SVG; "" where there is none.
    """
    part, box = narrow(probabilities, box)
    background, rim, cup = (part[..., k] for k in (BACKGROUND, RIM, CUP))
    return {
        "disc": _path(np.maximum(rim, cup) - background, box),
        "cup": _path(cup - np.maximum(background, rim), box),
    }


def mask_paths(ids: np.ndarray, box: Box) -> dict[str, str]:
    """The borders of an id map (H, W), 255 = ignore; else as `probability_paths`."""
    part, box = narrow(ids, box)
    regions = {"disc": (part == RIM) | (part == CUP), "cup": part == CUP}
    return {
        name: _path(ndimage.gaussian_filter(region.astype(np.float32), SMOOTHING) - 0.5, box)
        for name, region in regions.items()
    }


def _path(field: np.ndarray, box: Box) -> str:
    """The zero level of a field that is positive inside."""
    # A border of outside closes what touches the edge.
    padded = np.pad(field.astype(np.float64), 1, constant_values=-1.0)
    lines = contourpy.contour_generator(z=padded).lines(0.0)
    height, width = field.shape
    scale = UNITS / np.array([(box[2] - box[0]) * width, (box[3] - box[1]) * height])
    origin = np.array([box[0] * width, box[1] * height])
    # A pixel's value stands at its middle; the border moved everything by one.
    return "".join(_line((line - 0.5 - origin) * scale) for line in lines)


def _line(points: np.ndarray) -> str:
    """(N, 2) x, y in units, closed -> path with whole relative steps; "" where it is a speck."""
    kept = [np.rint(points[0]).astype(int)]
    for point in np.rint(points[1:]).astype(int):
        if np.abs(point - kept[-1]).max() >= SHORTEST:
            kept.append(point)
    if len(kept) < 3:
        return ""
    steps = np.diff(kept, axis=0)
    return f"M{kept[0][0]} {kept[0][1]}l" + " ".join(f"{x} {y}" for x, y in steps) + "z"

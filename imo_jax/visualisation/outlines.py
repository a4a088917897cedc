"""Smooth outlines of regions, drawn without stair steps."""

import numpy as np
from scipy import ndimage

from imo_jax.labels import REGIONS
from imo_jax.visualisation import colours
from imo_jax.visualisation.tiles import Box, cut, narrow

EDGE_OPACITY = 0.6


def draw_outline(
    tile: np.ndarray, mask: np.ndarray, colour: colours.Colour, width: float, dotted: bool = False
) -> np.ndarray:
    """`tile` with the border of `mask` drawn over it.

    Args:
      tile: (S, T, 3) uint8.
      mask: (S, T) float32 in 0..1, 0.5 on the border (a resized mask).
      colour: of the line.
      width: of the line in pixels.
      dotted: with gaps, so that a line below stays to be seen.

    Returns:
      (S, T, 3) uint8, a new array.
    """
    if not mask.any():
        return tile
    smooth = ndimage.gaussian_filter(mask, 1.2)
    slope = np.hypot(*np.gradient(smooth))
    # Height over slope is the distance from the border, near the border.
    distance = np.abs(smooth - 0.5) / np.maximum(slope, 1e-3)
    gaps = _gaps(mask) if dotted else np.float32(1)
    # A dark edge first: the line must be seen on a pale disc as well as on a dark retina.
    edge = gaps * np.clip(width / 2 + 1.5 - distance, 0.0, EDGE_OPACITY)
    line = gaps * np.clip(width / 2 + 0.5 - distance, 0.0, 1.0)
    darkened = tile * (1.0 - edge[..., None])
    drawn = darkened + line[..., None] * (np.asarray(colour, np.float32) - darkened)
    return np.rint(drawn).astype(np.uint8)


def _gaps(mask: np.ndarray, period: float = 9.0) -> np.ndarray:
    """(S, T) of 0 and 1 in turn around the centre of `mask`, about `period` pixels long at it."""
    rows, columns = np.indices(mask.shape)
    row, column = ndimage.center_of_mass(mask)
    radius = np.sqrt(mask.sum() / np.pi)
    turns = max(round(2 * np.pi * radius / period), 8)
    angle = np.arctan2(rows - row, columns - column) / (2 * np.pi)
    return (angle * turns % 1.0 < 0.5).astype(np.float32)


def draw_regions(
    tile: np.ndarray,
    ids: np.ndarray,
    box: Box,
    *,
    width: float = 2.0,
    colour: colours.Colour | None = None,
    dotted: bool = False,
) -> np.ndarray:
    """`tile` with the outlines of disc and cup of an id map.

    Args:
      tile: (S, T, 3) uint8, showing `box` of the image.
      ids: (H, W) integer ids of the whole image, 255 = ignore.
      colour: of both lines; by default each region has its own (`colours.OUTLINES`).
    """
    size = (tile.shape[1], tile.shape[0])
    ids, box = narrow(ids, box)
    skip = max(min(ids.shape) // (2 * max(size)), 1)  # a map much finer than the tile is thinned
    ids = ids[::skip, ::skip]
    for name, own in colours.OUTLINES.items():
        table = np.zeros(256, np.uint8)
        table[list(REGIONS[name])] = 255
        mask = cut(table[ids], box, size) / np.float32(255)
        tile = draw_outline(tile, mask, colour or own, width, dotted)
    return tile

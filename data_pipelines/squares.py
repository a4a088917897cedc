"""The square of a photograph around its optic disc: found from a segmentation, drawn, measured.

Lengths are native pixels of the photograph. A *diameter* of a disc is the mean of its height and
width.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from data_pipelines.framing import Frame
from data_pipelines.images import CUP, RIM

# A segmented region is taken for a disc where all of this holds.
MIN_PART, MAX_PART = 0.0005, 0.4  # of the area that the network saw
MAX_ASPECT = 1.8  # of its longer side to its shorter one
MIN_FILL, MAX_FILL = 0.55, 1.25  # of its area to that of the ellipse in its box
MIN_PROBABILITY = 0.65  # mean over the region

# Errors that are assumed where too few eyes are there to measure them on.
FEW = 5


@dataclasses.dataclass(frozen=True)
class Disc:
    """Centre (row, column) and diameter of a disc."""

    row: float
    column: float
    diameter: float


@dataclasses.dataclass(frozen=True)
class Square:
    """A square of native pixels; it may stick out of the photograph."""

    top: int
    left: int
    side: int


@dataclasses.dataclass(frozen=True)
class LocatorError:
    """How far discs are found from where they are: standard deviations.

    Attributes:
      shift: of each coordinate of the centre, in true diameters.
      size: of the logarithm of found to true diameter.
      eyes: that it was measured on; 0 = assumed.
    """

    shift: float = 0.08
    size: float = 0.1
    eyes: int = 0


def find_disc(probabilities: np.ndarray, frame: Frame) -> Disc | None:
    """The disc in class probabilities; None where nothing credible is found.

    Args:
      probabilities: float (h, w, classes) over the box of the frame.
      frame: the box of the photograph that the network saw.
    """
    disc = probabilities[..., RIM] + probabilities[..., CUP]
    labels, count = ndimage.label(disc > 0.5)
    if not count:
        return None
    areas = np.bincount(labels.ravel())[1:]
    region = labels == 1 + int(areas.argmax())
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    ellipse = np.pi / 4 * height * width
    credible = (
        MIN_PART <= areas.max() / region.size <= MAX_PART
        and max(height, width) <= MAX_ASPECT * min(height, width)
        and MIN_FILL <= areas.max() / ellipse <= MAX_FILL
        and disc[region].mean() >= MIN_PROBABILITY
    )
    if not credible:
        return None
    down, across = frame.height / region.shape[0], frame.width / region.shape[1]
    return Disc(
        row=frame.top + down * (rows[0] + rows[-1] + 1) / 2,
        column=frame.left + across * (columns[0] + columns[-1] + 1) / 2,
        diameter=(down * height + across * width) / 2,
    )


def disc_of_mask(mask: np.ndarray) -> Disc | None:
    """The disc of a native mask of ids; None where it has none."""
    disc = (mask == RIM) | (mask == CUP)
    rows, columns = np.flatnonzero(disc.any(axis=1)), np.flatnonzero(disc.any(axis=0))
    if not len(rows):
        return None
    return Disc(
        row=(rows[0] + rows[-1] + 1) / 2,
        column=(columns[0] + columns[-1] + 1) / 2,
        diameter=(rows[-1] - rows[0] + columns[-1] - columns[0]) / 2 + 1,
    )


def square_around(disc: Disc, diameters: float) -> Square:
    """The square of so many disc diameters around a disc."""
    side = max(2, round(disc.diameter * diameters))
    return Square(round(disc.row - side / 2), round(disc.column - side / 2), side)


def frame_of_square(square: Square, native: tuple[int, int], size: int) -> Frame:
    """The frame that maps a square of a photograph of `native` (height, width) to `size` pixels."""
    return Frame(square.top, square.left, square.side, square.side, *native, size)


def measured_error(found: Sequence[Disc | None], true: Sequence[Disc | None]) -> LocatorError:
    """The error of discs found in eyes whose discs are known; assumed where these are too few."""
    pairs = [(f, t) for f, t in zip(found, true, strict=True) if f is not None and t is not None]
    if len(pairs) < FEW:
        return LocatorError()
    shifts = [
        offset / t.diameter
        for f, t in pairs
        for offset in (f.row - t.row, f.column - t.column)
    ]
    sizes = [np.log(f.diameter / t.diameter) for f, t in pairs]
    # About zero, not about the mean: what is off on average is an error, too.
    return LocatorError(
        shift=float(np.sqrt(np.mean(np.square(shifts)))),
        size=float(np.sqrt(np.mean(np.square(sizes)))),
        eyes=len(pairs),
    )

"""The square of a photograph that the model sees, and the way back.

A fundus camera exposes a disc on a black ground. `find_frame` finds the bounding square
of that disc, `frame_image` and `frame_mask` cut and resize it, and `unframe_probabilities`
brings a prediction back to the pixels of the photograph.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from PIL import Image
from scipy import ndimage

from data_pipelines.images import BACKGROUND, IGNORE

# The field of view is found on a copy whose longer side has this many pixels.
_SEARCH_SIDE = 512


@dataclasses.dataclass(frozen=True)
class Frame:
    """A square box of native pixels, mapped to a working square of size x size pixels.

    Attributes:
      top, left: the first row and column; negative where the box sticks out of the photograph.
      height, width: its sides in native pixels; equal.
      native_height, native_width: the photograph.
      size: the side of the working square.
    """

    top: int
    left: int
    height: int
    width: int
    native_height: int
    native_width: int
    size: int


def find_frame(image: np.ndarray, size: int, crop_to_field: bool = True) -> Frame:
    """Finds the square that bounds the illuminated field of view.

    The brightest channel is smoothed and compared with a level between the darkest corner
    and the bright part of the photograph; the box bounds the largest connected bright region.
    Where none is found (no border, hardly any light), or with crop_to_field=False, the square
    holds the whole photograph, centred. Deterministic.

    Args:
      image: uint8 (height, width, 3).
      size: the side of the working square, in pixels.
    """
    height, width = image.shape[:2]
    if size < 1:
        raise ValueError(f"size must be at least 1, not {size}")
    box = _field_of_view(image) if crop_to_field else None
    top, left, bottom, right = box or (0, 0, height, width)
    side = max(bottom - top, right - left)
    return Frame(
        top=(top + bottom - side) // 2,
        left=(left + right - side) // 2,
        height=side,
        width=side,
        native_height=height,
        native_width=width,
        size=size,
    )


def _field_of_view(image: np.ndarray) -> tuple[int, int, int, int] | None:
    """(top, left, bottom, right) of the lit region in native pixels; None if there is none."""
    height, width = image.shape[:2]
    step = max(1, round(max(height, width) / _SEARCH_SIDE))
    small = Image.fromarray(image).reduce(step)
    light = ndimage.gaussian_filter(np.asarray(small).max(axis=2).astype(np.float32), 1.0)
    # Scattered light in a corner is no border: black is the darkest of the four.
    patch = max(2, min(light.shape) // 32)
    corners = [
        light[y, x]
        for y in (slice(patch), slice(-patch, None))
        for x in (slice(patch), slice(-patch, None))
    ]
    black = min(float(np.median(corner)) for corner in corners)
    bright = float(np.percentile(light, 95))
    if bright - black < 8:
        return None
    labels, count = ndimage.label(light > black + 0.12 * (bright - black))
    if count == 0:
        return None
    areas = np.bincount(labels.ravel())[1:]
    field = labels == 1 + int(areas.argmax())
    if areas.max() < 0.15 * field.size:
        return None
    # A row or column belongs to the field if it holds more than a hair of it.
    rows = np.flatnonzero(field.sum(axis=1) > 0.02 * field.shape[1])
    columns = np.flatnonzero(field.sum(axis=0) > 0.02 * field.shape[0])
    if rows.size == 0 or columns.size == 0:
        return None
    top, bottom = rows[0] * step, min((rows[-1] + 1) * step, height)
    left, right = columns[0] * step, min((columns[-1] + 1) * step, width)
    return int(top), int(left), int(bottom), int(right)


def _cut(native: np.ndarray, frame: Frame, fill: int) -> np.ndarray:
    """The box of the frame, (frame.height, frame.width, ...); outside the photograph `fill`."""
    if native.shape[:2] != (frame.native_height, frame.native_width):
        raise ValueError(
            f"the frame is of a picture of {frame.native_height} x {frame.native_width} pixels, "
            f"this one has {native.shape[0]} x {native.shape[1]}"
        )
    bottom, right = frame.top + frame.height, frame.left + frame.width
    top_in, left_in = max(frame.top, 0), max(frame.left, 0)
    inside = native[top_in : min(bottom, len(native)), left_in : min(right, native.shape[1])]
    if inside.shape[:2] == (frame.height, frame.width):
        return inside
    box = np.full((frame.height, frame.width, *native.shape[2:]), fill, native.dtype)
    top, left = top_in - frame.top, left_in - frame.left
    box[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return box


def frame_image(image: np.ndarray, frame: Frame) -> np.ndarray:
    """Cuts and resizes a photograph; black outside it, antialiased bilinear.

    Args:
      image: uint8 (native_height, native_width, 3).

    Returns:
      uint8 (size, size, 3).
    """
    box = Image.fromarray(np.ascontiguousarray(_cut(image, frame, fill=0)))
    return np.array(box.resize((frame.size, frame.size), Image.Resampling.BILINEAR))


def frame_mask(mask: np.ndarray, frame: Frame) -> np.ndarray:
    """Cuts and resizes a mask of ids; 255 (ignore) outside it, nearest pixel centre.

    Args:
      mask: uint8 (native_height, native_width).

    Returns:
      uint8 (size, size).
    """
    box = _cut(mask, frame, fill=IGNORE)
    nearest = ((np.arange(frame.size) + 0.5) * frame.height / frame.size).astype(np.int64)
    return np.ascontiguousarray(box[nearest][:, nearest])


def unframe_probabilities(probabilities: np.ndarray, frame: Frame) -> np.ndarray:
    """Brings class probabilities back to the pixels of the photograph.

    Bilinear between pixel centres, edges repeated; outside the box the background has
    probability 1.

    Args:
      probabilities: float (h, w, classes) over the box; h and w may differ from frame.size.

    Returns:
      float32 (native_height, native_width, classes).
    """
    top, bottom, rows = _positions(
        frame.top, frame.height, frame.native_height, probabilities.shape[0]
    )
    left, right, columns = _positions(
        frame.left, frame.width, frame.native_width, probabilities.shape[1]
    )
    classes = probabilities.shape[2]
    native = np.zeros((frame.native_height, frame.native_width, classes), np.float32)
    native[:, :, BACKGROUND] = 1.0
    inside = _interpolate(np.asarray(probabilities, np.float32), rows, axis=0)
    native[top:bottom, left:right] = _interpolate(inside, columns, axis=1)
    return native


def _positions(start: int, length: int, native: int, count: int) -> tuple[int, int, np.ndarray]:
    """Native range of the box along one axis, and where its pixel centres lie in the grid."""
    first, last = max(start, 0), min(start + length, native)
    centres = (np.arange(first, last) + 0.5 - start) * count / length - 0.5
    return first, last, np.clip(centres, 0, count - 1)


def _interpolate(values: np.ndarray, positions: np.ndarray, axis: int) -> np.ndarray:
    """Linear interpolation of values along an axis at fractional positions."""
    low = np.floor(positions).astype(np.int64)
    high = np.minimum(low + 1, values.shape[axis] - 1)
    weight = (positions - low).astype(np.float32)
    weight = weight.reshape([-1 if a == axis else 1 for a in range(values.ndim)])
    return values.take(low, axis) * (1 - weight) + values.take(high, axis) * weight

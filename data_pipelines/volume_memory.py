"""OCT volumes in memory: held once, as bytes or float32, and laid out as they are going to be used.

A second copy of a volume may not fit. So what is read comes slice by slice, each is brought to the type
that is kept on its way into place, and where a file has its axes in another order, that is its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from data_pipelines.bad_file import BadFile
from data_pipelines.volume_limits import check_dtype, check_shape

AS_IN_FILE = (0, 1, 2)  # an order that leaves the axes as they are


def room(
    shape: Sequence[int], dtype: np.dtype, order: Sequence[int] = AS_IN_FILE
) -> np.ndarray:
    """An empty array for a volume, whose slices can be put into it one after the other.

    Args:
      shape: of the volume as it is stored.
      dtype: of its numbers there; uint8 is kept, all else becomes float32.
      order: the stored axes in the order in which the volume is used.

    Returns:
      An array of `shape` that `transpose(order)` makes contiguous: turning it copies nothing.
    """
    turned = np.empty(
        [shape[axis] for axis in order], np.uint8 if dtype == np.uint8 else np.float32
    )
    return turned.transpose(np.argsort(order))


def plain(
    volume: np.ndarray, path: Path | str, order: Sequence[int] = AS_IN_FILE
) -> np.ndarray:
    """A volume as it is held, after checking its shape, type and finiteness; arguments as `room`.

    What is held so already is not copied.
    """
    check_shape(volume.shape, path)
    check_dtype(volume.dtype, path)
    kept = volume.dtype == np.uint8 or (volume.dtype == np.float32 and volume.dtype.isnative)
    there = kept and volume.transpose(order).flags.c_contiguous
    if there and volume.dtype == np.uint8:
        return volume
    return gathered(
        volume, volume.shape, volume.dtype, path, order, into=volume if there else None
    )


def gathered(
    slices: Iterable[np.ndarray],
    shape: Sequence[int],
    dtype: np.dtype,
    path: Path | str,
    order: Sequence[int] = AS_IN_FILE,
    into: np.ndarray | None = None,
) -> np.ndarray:
    """A volume of slices that come one by one, along the first axis of its file.

    Args:
      slices: shape[1:] each.
      shape, dtype, order: of the volume, see `room`.
      path: of its file, for messages.
      into: float32 of that shape, which holds the slices already; None = a new array.

    Raises:
      BadFile: values that are not finite, or not in float32.
    """
    volume = room(shape, dtype, order) if into is None else into
    bad, beyond = 0, False
    for b_scan, there in zip(slices, volume, strict=True):
        if into is None:
            with np.errstate(over="ignore"):
                there[...] = b_scan
        if dtype.kind == "f":
            finite = np.isfinite(b_scan)
            bad += finite.size - int(np.count_nonzero(finite))
            beyond |= bool((np.isinf(there) & finite).any())
    if bad:
        raise BadFile(path, f"holds {bad} of {volume.size} voxels that are NaN or infinite")
    if beyond:
        raise BadFile(path, "holds values beyond the range of float32")
    return volume

"""What every OCT volume must be, in whatever form it is stored."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from data_pipelines.bad_file import BadFile

# A Triton macular cube is 256 x 992 x 512 = 130 million voxels.
MAX_VOXELS = 600_000_000
MAX_SLICES = 4096


def check_shape(shape: tuple[int, ...], path: Path) -> None:
    """Judges the shape that a header claims, before the voxels are read."""
    if len(shape) != 3:
        raise BadFile(
            path,
            f"has shape {tuple(shape)}: a volume has three axes (slices, depth, width)",
        )
    if 0 in shape:
        raise BadFile(path, f"has shape {tuple(shape)}: it holds no voxels")
    if np.prod(shape, dtype=np.float64) > MAX_VOXELS or shape[0] > MAX_SLICES:
        raise BadFile(
            path,
            f"has an absurd size, {' x '.join(map(str, shape))} "
            f"(limit: {MAX_VOXELS} voxels, {MAX_SLICES} slices)",
        )


def check_dtype(dtype: np.dtype, path: Path) -> None:
    if dtype.hasobject:
        raise BadFile(path, "holds pickled Python objects, which are never loaded; save numbers")
    if dtype.kind not in "uif":
        raise BadFile(path, f"holds {dtype}, not real numbers; save uint8 or float32")


def plain(volume: np.ndarray, path: Path) -> np.ndarray:
    """Checks shape, type and finiteness; uint8 stays, the rest becomes float32."""
    check_shape(volume.shape, path)
    check_dtype(volume.dtype, path)
    if volume.dtype == np.uint8:
        return np.ascontiguousarray(volume)
    there = volume.dtype == np.float32 and volume.dtype.isnative and volume.flags.c_contiguous
    return plain_slices(volume, volume.shape, path, into=volume if there else None)


def plain_slices(
    slices: Iterable[np.ndarray],
    shape: tuple[int, ...],
    path: Path,
    into: np.ndarray | None = None,
) -> np.ndarray:
    """A volume of other numbers than bytes as float32, taken slice by slice: a second copy of all of
    it would need as much memory again.

    Args:
      slices: (depth, width) each.
      shape: (slices, depth, width) of the volume.
      path: of its file, for messages.
      into: float32 of that shape, which holds the slices already; None = a new array.

    Raises:
      BadFile: values that are not finite, or not in float32.
    """
    volume = np.empty(shape, np.float32) if into is None else into
    bad, beyond = 0, False
    for b_scan, there in zip(slices, volume, strict=True):
        finite = np.isfinite(b_scan)
        bad += b_scan.size - int(np.count_nonzero(finite))
        if into is None:
            with np.errstate(over="ignore"):
                there[...] = b_scan
            beyond |= bool((np.isinf(there) & finite).any())
    if bad:
        raise BadFile(path, f"holds {bad} of {volume.size} voxels that are NaN or infinite")
    if beyond:
        raise BadFile(path, "holds values beyond the range of float32")
    return volume

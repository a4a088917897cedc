"""What every OCT volume must be, in whatever form it is stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data_pipelines.bad_file import BadFile

# A Triton macular cube is 256 x 992 x 512 = 130 million voxels.
MAX_VOXELS = 600_000_000
MAX_SLICES = 4096


def check_shape(shape: tuple[int, ...], path: Path | str) -> None:
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


def check_dtype(dtype: np.dtype, path: Path | str) -> None:
    if dtype.hasobject:
        raise BadFile(path, "holds pickled Python objects, which are never loaded; save numbers")
    if dtype.kind not in "uif":
        raise BadFile(path, f"holds {dtype}, not real numbers; save uint8 or float32")

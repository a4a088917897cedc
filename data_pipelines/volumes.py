"""OCT volumes as the models take them: read from disk, resampled, 0..255."""

from __future__ import annotations

import numpy as np
from PIL import Image

from data_pipelines.volume_files import read_volume
from data_pipelines.volume_numbers import meaning

__all__ = ["centre_scans", "kept_scans", "read_volume", "to_cube", "to_grid", "to_scans"]


def to_grid(volume: np.ndarray, slices: int, depth: int, width: int) -> np.ndarray:
    """Brings a volume to the model's grid and to 0..255, slices last.

    As to_cube, but for the order of the axes.

    Returns:
      uint8 (depth, width, slices).
    """
    # (slices, depth, width) -> (depth, width, slices)
    return np.ascontiguousarray(to_cube(volume, slices, depth, width).transpose(1, 2, 0))


def to_cube(volume: np.ndarray, slices: int, depth: int, width: int) -> np.ndarray:
    """Brings a volume to a grid and to 0..255.

    In the B-scan plane: bilinear, antialiased where it shrinks. Along the slices: averaged
    where it shrinks (an integer factor averages groups of neighbours, e.g. 256 -> 128 pairs),
    linear between neighbours where it grows.

    Args:
      volume: (slices, depth, width) of any size; uint8, or floats, see byte_range.
      slices, depth, width: the wanted grid.

    Returns:
      uint8 (slices, depth, width).

    Raises:
      ValueError: not three axes, no voxels, or a non-finite value.
    """
    _check(volume, slices, depth, width)
    low, scale = byte_range(volume)
    planes = np.empty((len(volume), depth, width), np.float32)
    for plane, b_scan in zip(planes, volume, strict=True):
        plane[...] = _resize_plane(b_scan, depth, width)
    # (wanted slices, slices) x (slices, depth * width) -> (slices, depth, width)
    weights = _slice_weights(len(volume), slices)
    grid = (weights @ planes.reshape(len(volume), -1)).reshape(slices, depth, width)
    return _to_bytes(grid, low, scale)


def to_scans(
    volume: np.ndarray,
    depth: int,
    width: int,
    max_scans: int | None = None,
    neighbours: bool = True,
) -> np.ndarray:
    """Brings every B-scan of a volume to one size and to 0..255; none is averaged with others.

    Args:
      volume: as to_cube; the stretch to 0..255 is that of the whole volume.
      depth, width: the wanted size of a B-scan.
      max_scans, neighbours: keeps what kept_scans says; None keeps all.

    Returns:
      uint8 (n, depth, width).

    Raises:
      ValueError: as to_cube.
    """
    _check(volume, len(volume), depth, width)
    low, scale = byte_range(volume)
    kept = kept_scans(len(volume), max_scans, neighbours)
    scans = np.empty((len(kept), depth, width), np.uint8)
    for scan, i in zip(scans, kept, strict=True):
        scan[...] = _to_bytes(_resize_plane(volume[i], depth, width), low, scale)
    return scans


def centre_scans(count: int, max_scans: int | None) -> list[int]:
    """Numbers of the B-scans that a volume of `count` is looked at: evenly spaced, at most
    `max_scans`; None = all."""
    wanted = count if max_scans is None else min(count, max_scans)
    return [int((i + 0.5) * count / wanted) for i in range(wanted)]


def kept_scans(count: int, max_scans: int | None, neighbours: bool = True) -> list[int]:
    """Numbers of the centres and, with `neighbours`, of the B-scans next to them, ascending.

    So a network that sees three adjacent B-scans sees three that are adjacent in the volume,
    however few centres there are.
    """
    steps = (-1, 0, 1) if neighbours else (0,)
    near = {i + step for i in centre_scans(count, max_scans) for step in steps}
    return sorted(near & set(range(count)))


def _check(volume: np.ndarray, slices: int, depth: int, width: int) -> None:
    if volume.ndim != 3 or 0 in volume.shape:
        raise ValueError(f"a volume has three axes (slices, depth, width), not {volume.shape}")
    if min(slices, depth, width) < 1:
        raise ValueError(f"the grid must be positive, not {(slices, depth, width)}")


def _to_bytes(grid: np.ndarray, low: np.float32, scale: np.float32) -> np.ndarray:
    return np.clip(np.rint((grid - low) * scale), 0, 255).astype(np.uint8)


def byte_range(volume: np.ndarray) -> tuple[np.float32, np.float32]:
    """(low, scale) of the map (value - low) * scale to 0..255, then clipped; see volume_numbers.

    Raises ValueError for a value that is not finite.
    """
    numbers = meaning(volume)
    width = numbers.high - numbers.low
    return np.float32(numbers.low), np.float32(255.0 / width if width > 0 else 0.0)


def _resize_plane(b_scan: np.ndarray, depth: int, width: int) -> np.ndarray:
    """float32 (depth, width). Pillow's bilinear filter widens when it shrinks (antialiasing)."""
    plane = np.asarray(b_scan, np.float32)
    if plane.shape == (depth, width):
        return plane
    resized = Image.fromarray(plane).resize((width, depth), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def _slice_weights(count: int, wanted: int) -> np.ndarray:
    """float32 (wanted, count): rows sum to 1; overlap averages or linear interpolation."""
    if wanted <= count:
        # Slice j covers [j, j + 1); wanted slice i covers [i, i + 1) * count / wanted.
        edges = np.arange(wanted + 1) * (count / wanted)
        starts = np.maximum(edges[:-1, None], np.arange(count)[None])
        ends = np.minimum(edges[1:, None], np.arange(count)[None] + 1)
        weights = np.maximum(ends - starts, 0)
    else:
        centres = np.clip((np.arange(wanted) + 0.5) * count / wanted - 0.5, 0, count - 1)
        weights = np.maximum(1 - np.abs(centres[:, None] - np.arange(count)[None]), 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)

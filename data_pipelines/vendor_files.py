"""OCT volumes in the files of the devices' own software.

Heidelberg .vol and .e2e are read by eyepy (MIT licence), which is installed by the extra
`vendor`. Topcon .fda and .fds: topcon_files. Cirrus .img are bytes without a header: their size stands in
the file's name.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data_pipelines import topcon_files
from data_pipelines.bad_file import BadFile
from data_pipelines.volume_limits import check_shape

CIRRUS_DEPTH = 1024
_CIRRUS_NAME = re.compile(r"(\d{2,4})x(\d{1,4})(?!\d)")


def vendor_reader(path: Path, head: bytes) -> Callable[[Path], np.ndarray] | None:
    """The reader of a vendor's file, told from its first bytes or its suffix; None for others.

    A reader returns (slices, depth, width). It raises BadFile for what it cannot take, and what
    eyepy raises for damaged files.
    """
    if head.startswith(b"HSF-OCT"):
        return read_heidelberg_vol
    if head.startswith(b"CMDb") or path.suffix.lower() == ".e2e":
        return read_heidelberg_e2e
    if head.startswith(topcon_files.MAGIC):
        return topcon_files.read_topcon
    if path.suffix.lower() == ".img":
        return read_cirrus_img
    return None


def read_heidelberg_vol(path: Path) -> np.ndarray:
    """uint8 (slices, depth, width) of a .vol file: a raster of B-scans, grey as in Heyex."""
    with open(path, "rb") as file:
        file.seek(12)  # The version.
        width, slices, depth = struct.unpack("<3I", file.read(12))
    check_shape((slices, depth, width), path)
    return _import_eyepy(path).import_heyex_vol(path).data


def read_heidelberg_e2e(path: Path) -> np.ndarray:
    """uint8 (slices, depth, width) of an .e2e file that holds one volume."""
    _import_eyepy(path)
    from eyepy.io import HeE2eReader

    with HeE2eReader(path) as reader:
        volumes = reader.volumes
    if len(volumes) != 1:
        raise BadFile(path, f"holds {len(volumes)} raster volumes; export one volume a file")
    return volumes[0].data


def _import_eyepy(path: Path):
    try:
        import eyepy
    except ImportError:
        raise BadFile(
            path, "is a Heidelberg file, which needs eyepy: pip install 'imo_jax[vendor]'"
        ) from None
    return eyepy


def read_cirrus_img(path: Path) -> np.ndarray:
    """uint8 (slices, 1024, width) of a Cirrus .img file.

    The name says the size as A-scans x B-scans, as in "..._Optic Disc Cube 200x200_..._cube_z.img".
    Each B-scan is stored row by row, from its bottom right to its top left.
    """
    sizes = _CIRRUS_NAME.findall(path.name)
    if len(sizes) != 1:
        raise BadFile(
            path,
            "is a Cirrus file whose name does not tell its size; name it as ..._200x200_....img",
        )
    width, slices = map(int, sizes[0])
    shape = (slices, CIRRUS_DEPTH, width)
    check_shape(shape, path)
    expected, there = np.prod(shape, dtype=np.int64), path.stat().st_size
    if there != expected:
        raise BadFile(
            path, f"has {there} bytes, but its name says {width} x {slices} A-scans of "
            f"{CIRRUS_DEPTH}, which are {expected}; copy it again"
        )  # fmt: skip
    volume = np.fromfile(path, np.uint8).reshape(shape)
    for b_scan in volume:
        b_scan[...] = b_scan[::-1, ::-1].copy()
    return volume

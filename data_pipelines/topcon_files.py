"""OCT volumes in Topcon's own files, .fda and .fds.

A file is a head of 15 bytes and named chunks, little endian. Topcon has published no description; this is
what the uocte project and OCT-Converter (MIT licence), which does not run with NumPy 2.3, found in files:

    "FOCT", "FDA", "FAA" or "FDS", two versions (uint32)
    length of a name (uint8, 0 = the end), the name, length of the chunk (uint32), the chunk; ...

| chunk | its head | then |
|---|---|---|
| @IMG_JPEG (.fda) | mode (uint8), 2 x uint32, width, height, slices, uint32 | each slice: length (uint32), JPEG 2000 |
| @IMG_MOT_COMP_03 (.fda), @IMG_SCAN_03 (.fds) | mode (uint8), width, height, bits, slices, format (uint8), length | uint16 |

Patients' names stand in other chunks, which are not read.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from data_pipelines.bad_file import BadFile
from data_pipelines.volume_limits import check_shape
from data_pipelines.volume_memory import gathered

MAGIC = b"FOCT"
_PADDING = 64  # bytes that may follow a volume in its chunk
PICTURES, RAW = "@IMG_JPEG", ("@IMG_MOT_COMP_03", "@IMG_SCAN_03")
NO_RASTER = {3: "radial", 4: "cross"}  # by mode: their B-scans are not side by side

_HEAD = 15
_PICTURES_HEAD, _RAW_HEAD = struct.Struct("<B6I"), struct.Struct("<B4IBI")
_LENGTH = struct.Struct("<I")


def read_topcon(path: Path) -> np.ndarray:
    """uint8 (slices, depth, width) of a raster scan; float32 where the file holds 16 bits.

    Raises:
      BadFile: truncated, without a volume, or of B-scans that are not side by side.
    """
    with open(path, "rb") as file:
        chunks = {name: (start, size) for name, start, size in _chunks(file, path)}
        for name, read in {PICTURES: _read_pictures, **dict.fromkeys(RAW, _read_raw)}.items():
            if name in chunks:
                start, size = chunks[name]
                file.seek(start)
                volume = read(file, path)
                _refuse_rest(file.tell() - start, size, path)
                return volume
    raise BadFile(
        path,
        f"is a Topcon file without a volume that is known here ({', '.join((PICTURES, *RAW))}): it holds "
        f"{', '.join(chunks) or 'nothing'}; export the volume as DICOM",
    )


def _refuse_rest(read: int, size: int, path: Path) -> None:
    """BadFile where a chunk ends before what its head tells, or long after."""
    if not 0 <= size - read <= _PADDING:
        raise BadFile(
            path,
            f"its volume takes {read} bytes by its head, but {size} in the file: number or size of the B-scans "
            "is not what its head tells; export it again, or as DICOM",
        )


def _chunks(file: BinaryIO, path: Path) -> Iterator[tuple[str, int, int]]:
    """The names of a file's chunks, where they begin and their length."""
    file.seek(_HEAD)
    while length := _exactly(file, 1, path)[0]:
        name = _exactly(file, length, path).decode("latin-1")
        (size,) = _LENGTH.unpack(_exactly(file, _LENGTH.size, path))
        yield name, file.tell(), size
        file.seek(size, io.SEEK_CUR)


def _read_pictures(file: BinaryIO, path: Path) -> np.ndarray:
    """The volume at @IMG_JPEG."""
    head = _PICTURES_HEAD.unpack(_exactly(file, _PICTURES_HEAD.size, path))
    mode, _, _, width, depth, slices, _ = head
    shape = _raster(mode, (slices, depth, width), path)

    def b_scans() -> Iterator[np.ndarray]:
        for number in range(slices):
            (size,) = _LENGTH.unpack(_exactly(file, _LENGTH.size, path))
            with Image.open(
                io.BytesIO(_exactly(file, size, path)), formats=("JPEG2000", "JPEG")
            ) as image:
                if (image.mode, image.size) != ("L", (width, depth)):
                    raise BadFile(
                        path,
                        f"B-scan {number + 1} is a picture of {image.width} x {image.height} and Pillow mode "
                        f"{image.mode!r}; {width} x {depth} of 8-bit grey are said at its beginning",
                    )
                yield np.asarray(image)

    return gathered(b_scans(), shape, np.dtype(np.uint8), path)


def _read_raw(file: BinaryIO, path: Path) -> np.ndarray:
    """The volume at one of RAW: B-scans row by row."""
    head = _RAW_HEAD.unpack(_exactly(file, _RAW_HEAD.size, path))
    mode, width, depth, bits, slices, _, _ = head
    shape, dtype = _raster(mode, (slices, depth, width), path), np.dtype("<u2")
    if bits != 8 * dtype.itemsize:
        raise BadFile(
            path, f"is a Topcon file of {bits} bits a voxel, 16 are known; export it as DICOM"
        )

    def b_scans() -> Iterator[np.ndarray]:
        for _ in range(slices):
            values = _exactly(file, dtype.itemsize * depth * width, path)
            yield np.frombuffer(values, dtype).reshape(depth, width)

    return gathered(b_scans(), shape, dtype, path)


def _raster(mode: int, shape: tuple[int, int, int], path: Path) -> tuple[int, int, int]:
    """The shape, of a raster and of a size that can be."""
    if mode in NO_RASTER:
        raise BadFile(
            path, f"is a {NO_RASTER[mode]} scan; a volume has B-scans side by side: export a raster"
        )
    check_shape(shape, path)
    return shape


def _exactly(file: BinaryIO, size: int, path: Path) -> bytes:
    found = file.read(size)
    if len(found) < size:
        raise BadFile(path, "is truncated: it ends within a part of a Topcon file; copy it again")
    return found

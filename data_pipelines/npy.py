"""Read the .npy format without numpy's own reader.

numpy parses the header of a .npy file with Python's syntax tree, which in CPython 3.11 fails
now and then while another thread does the same ("SystemError: AST constructor recursion depth
mismatch"), and volumes are read in threads. It also lets the header be judged before the data.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

MAGIC = b"\x93NUMPY"
_MAX_HEADER = 100_000
_DESCR = re.compile(r"""['"]descr['"]\s*:\s*['"]([^'"]+)['"]""")
_ORDER = re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)""")
_SHAPE = re.compile(r"""['"]shape['"]\s*:\s*\(([0-9,\s]*)\)""")


def read_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype, bool]:
    """(shape, dtype, whether the first axis varies fastest); leaves the file at its data.

    Raises ValueError for a damaged header or one of an array of records.
    """
    start = file.read(8)
    if len(start) < 8 or start[:6] != MAGIC or start[6] not in (1, 2, 3):
        raise ValueError("not the start of a .npy file")
    length_format = "<H" if start[6] == 1 else "<I"
    length_bytes = file.read(struct.calcsize(length_format))
    (length,) = struct.unpack(length_format, length_bytes)
    header = file.read(min(length, _MAX_HEADER)).decode("utf-8")
    found = [pattern.search(header) for pattern in (_DESCR, _ORDER, _SHAPE)]
    if None in found or len(header) < length:
        raise ValueError("the .npy header is damaged, or of an array of records")
    descr, order, shape = (match.group(1) for match in found)
    return (
        tuple(int(side) for side in shape.split(",") if side.strip()),
        np.dtype(descr),
        order == "True",
    )


def read_slices(file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype) -> Iterator[np.ndarray]:
    """The array whose header was just read, last axis fastest, piece by piece along its first axis.

    Raises EOFError where data are missing.
    """
    size = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
    for number in range(shape[0]):
        data = bytearray(size)
        there = file.readinto(data)
        if there < size:
            raise EOFError(
                f"{number * size + there} of {shape[0] * size} bytes of voxels are there"
            )
        yield np.frombuffer(data, dtype).reshape(shape[1:])


def read_data(
    file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype, fortran_order: bool
) -> np.ndarray:
    """The array whose header was just read. Raises EOFError where data are missing."""
    data = bytearray(int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)  # Writable.
    there = file.readinto(data)
    if there < len(data):
        raise EOFError(f"{there} of {len(data)} bytes of voxels are there")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran_order else "C")

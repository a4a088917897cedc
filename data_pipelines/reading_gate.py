"""Files are let in to be read as long as memory allows: what they take together stays in a budget."""

import contextlib
import math
import threading
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from data_pipelines import npy
from data_pipelines.machine_memory import memory_bytes
from data_pipelines.npz_member import split_member

# What all files that are being read may take together, at most and of the machine's memory; a larger
# one is read alone.
BUDGET = 2**30
SHARE = 4  # a quarter
# Compressed pictures grow about so much when they are read.
DECODED = 8


def machine_budget() -> int:
    """Bytes that files that are being read may take together on this machine."""
    there = memory_bytes()
    return BUDGET if there is None else min(BUDGET, there // SHARE)


def decoded_bytes(path: Path) -> int:
    """About so many bytes a file, or all files of a folder, take in memory once they are read."""
    if path.is_dir():
        return sum(decoded_bytes(child) for child in path.iterdir())
    file, member = split_member(path)
    size = file.stat().st_size if file.exists() else 0
    suffix = file.suffix.lower()
    if suffix == ".img":
        return size
    with contextlib.suppress(OSError, ValueError, KeyError, zipfile.BadZipFile):
        if suffix == ".npy":
            with file.open("rb") as opened:
                return _array_bytes(opened)
        if suffix == ".npz":
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist() if member is None else [f"{member}.npy"]
                return sum(_array_bytes(archive.open(name)) for name in names)
    return size * DECODED


def _array_bytes(file: BinaryIO) -> int:
    """Of an array in numpy's format, read as a volume is: bytes stay, all else becomes float32."""
    shape, dtype, _ = npy.read_header(file)
    return math.prod(shape) * (1 if dtype == np.uint8 else 4)


class Gate:
    """Lets threads in while what they hold together stays within a budget."""

    def __init__(self, budget: int) -> None:
        self._budget, self._held = budget, 0
        self._changed = threading.Condition()

    def reading(self, files: Sequence[Path]) -> contextlib.AbstractContextManager[None]:
        """Waits until there is room for what these files take once they are read."""
        return self.entered(sum(map(decoded_bytes, files)))

    @contextlib.contextmanager
    def entered(self, size: int) -> Iterator[None]:
        """Waits until there is room for `size` bytes; what exceeds the budget waits to be alone."""
        size = min(size, self._budget)
        with self._changed:
            self._changed.wait_for(lambda: self._held + size <= self._budget)
            self._held += size
        try:
            yield
        finally:
            with self._changed:
                self._held -= size
                self._changed.notify_all()

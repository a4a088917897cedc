"""Files read in as many threads as there are processors and memory for."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from data_pipelines.load.ordered_map import ordered_map
from data_pipelines.npz_member import split_member

T = TypeVar("T")
R = TypeVar("R")

# What all files that are being read may take together; a larger one is read alone.
BUDGET = 2**30
# Compressed pictures grow about so much when they are read.
DECODED = 8


def read_all(
    read: Callable[[T], R],
    items: Sequence[T],
    files: Sequence[Sequence[Path]],
    budget: int = BUDGET,
) -> Iterator[R]:
    """Yields read(item) in order, read in threads that together hold about `budget` bytes.

    Args:
      read: called from several threads at once.
      items: what is read.
      files: those of each item; their size says what reading it takes.
      budget: bytes.
    """
    gate = _Gate(budget)

    def admitted(index: int) -> R:
        with gate.entered(sum(map(decoded_bytes, files[index]))):
            return read(items[index])

    workers = os.cpu_count() or 1
    return ordered_map(admitted, range(len(items)), workers, ahead=workers)


def decoded_bytes(path: Path) -> int:
    """About so many bytes a file, or all files of a folder, take in memory once they are read."""
    if path.is_dir():
        return sum(decoded_bytes(child) for child in path.iterdir())
    file, _ = split_member(path)
    size = file.stat().st_size if file.exists() else 0
    if path.suffix.lower() in (".npy", ".img"):
        return size
    return size * DECODED


class _Gate:
    """Lets threads in while what they hold together stays within a budget."""

    def __init__(self, budget: int) -> None:
        self._budget, self._held = budget, 0
        self._changed = threading.Condition()

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

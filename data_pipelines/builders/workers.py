"""Files read in as many threads as there are processors and memory for."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from data_pipelines.load.ordered_map import ordered_map
from data_pipelines.reading_gate import Gate, machine_budget

T = TypeVar("T")
R = TypeVar("R")


def read_all(
    read: Callable[[T], R],
    items: Sequence[T],
    files: Sequence[Sequence[Path]],
    budget: int | None = None,
) -> Iterator[R]:
    """Yields read(item) in order, read in threads that together hold about `budget` bytes.

    Args:
      read: called from several threads at once.
      items: what is read.
      files: those of each item; their size says what reading it takes.
      budget: bytes; None = as much as the machine allows for.
    """
    gate = Gate(machine_budget() if budget is None else budget)

    def admitted(index: int) -> R:
        with gate.reading(files[index]):
            return read(items[index])

    workers = os.cpu_count() or 1
    return ordered_map(admitted, range(len(items)), workers, ahead=workers)

"""What all kinds of batches share: each process's part of them, and making them ahead of time."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from data_pipelines.load.ordered_map import ordered_map

BACKENDS = ("tf.data", "threads")

# Name -> (shape, dtype) of every array of a batch.
Spec = Mapping[str, tuple[tuple[int, ...], np.dtype]]


@dataclasses.dataclass(frozen=True)
class Share:
    """The positions of each global batch that this process reads: an equal, contiguous part."""

    batch_size: int
    start: int
    stop: int

    @classmethod
    def of(cls, batch_size: int, shard: tuple[int, int]) -> "Share":
        """`shard` is (process index, process count).

        Raises ValueError where the batch cannot be divided.
        """
        index, count = shard
        if not 0 <= index < count:
            raise ValueError(f"shard {shard}: need 0 <= process index < process count")
        if batch_size < 1 or batch_size % count:
            raise ValueError(
                f"batch_size={batch_size} cannot be divided among {count} processes; make it a "
                f"multiple of {count}"
            )
        part = batch_size // count
        return cls(batch_size, index * part, (index + 1) * part)

    def indices(self, step: int) -> range:
        """Global example indices of this share of batch `step`."""
        first = step * self.batch_size
        return range(first + self.start, first + self.stop)


def iterate(
    make: Callable[[int], Mapping[str, np.ndarray]],
    names: Callable[[int], list[str]],
    spec: Spec,
    start: int,
    stop: int,
    backend: str,
    workers: int | None,
    ahead: int,
) -> Iterator[dict[str, Any]]:
    """Batches make(start), ..., make(stop - 1) with their ids names(step), computed ahead.

    Args:
      make: the arrays of a step; called from several threads at once.
      names: the ids of a step's rows, added to the batch as `id`.
      spec: of the arrays.
      start, stop: the first step, and the one after the last.
      backend: of BACKENDS.
      workers: threads; None: one a CPU.
      ahead: how many finished batches may wait.
    """
    workers = workers or os.cpu_count() or 1
    if backend == "threads":
        arrays = ordered_map(make, range(start, stop), workers, ahead)
    elif backend == "tf.data":
        # TensorFlow is imported only where it is used.
        from data_pipelines.load import tf_data

        arrays = tf_data.batches(make, spec, start, stop, workers, ahead)
    else:
        raise ValueError(f"backend {backend!r} is none of {', '.join(BACKENDS)}")
    return _with_ids(arrays, names, start)


def _with_ids(
    arrays: Iterator[Mapping[str, np.ndarray]], names: Callable[[int], list[str]], start: int
) -> Iterator[dict[str, Any]]:
    for step, batch in enumerate(arrays, start):
        yield {**batch, "id": names(step)}

"""Batches for screening: what training step k and evaluation batch k contain.

A batch is a dict of numpy arrays (B examples):
  scan uint8 (B, S, S, 3), a B-scan between the two next to it, with edges repeated, or
  cube uint8 (B, slices, depth, width) · glaucoma int32 (B,) 0 or 1 · vf float32 (B, 3) in percent,
  dB, dB (vfi, md, psd), 0 where absent · has_vf bool (B, 3) · valid bool (B,) · index uint32 (B,),
  the global example index · row int32 (B,), the volume's position in the split, -1 for padding ·
  scan_number int32 (B,), the centre B-scan, 0 for cubes · id list[str].
"""

import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from data_pipelines.load.iterate import Share, Spec, iterate
from data_pipelines.load.mirrored import WIDTH, to_mirror
from data_pipelines.load.order import example_generator, example_order
from data_pipelines.load.screening_grid import SETTINGS, ScreeningGrid
from data_pipelines.load.screening_stores import ScreeningStore


def screening_spec(size: int, part: str, shape: tuple[int, ...]) -> Spec:
    """Name -> (shape, dtype) of the arrays of a batch of `size` images of a part."""
    return {
        part: ((size, *shape), np.dtype(np.uint8)),
        "glaucoma": ((size,), np.dtype(np.int32)),
        "vf": ((size, 3), np.dtype(np.float32)),
        "has_vf": ((size, 3), np.dtype(bool)),
        "valid": ((size,), np.dtype(bool)),
        "index": ((size,), np.dtype(np.uint32)),
        "row": ((size,), np.dtype(np.int32)),
        "scan_number": ((size,), np.dtype(np.int32)),
    }


def image_shape(grid: ScreeningGrid, part: str) -> tuple[int, ...]:
    """Of one image of a batch: (S, S, 3) of a "scan", (slices, depth, width) of a "cube"."""
    shapes = {part.name: part.shape for part in grid.parts}
    if part not in shapes:
        raise ValueError(f"the store holds no {part}s: it was made without {SETTINGS[part]}")
    return (*shapes[part], 3) if part == "scan" else shapes[part]


def train_scan_batches(
    store: ScreeningStore,
    split: str = "train",
    *,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    right_as_left: bool = False,
    rows: Sequence[int] | None = None,
    shard: tuple[int, int] = (0, 1),
    backend: str | None = None,
    workers: int | None = None,
    ahead: int = 2,
) -> Iterator[dict[str, Any]]:
    """Endless training batches of B-scan triplets, steps start_step, start_step + 1, ...

    They are as stored: views of them are made on the device (`imo_jax.augment`). One epoch is every
    volume once, at a random centre B-scan. Step k is a function of (seed, k), the split and the rows
    alone; any start is reached at once.

    Args:
      store: the volumes, with B-scans.
      split: its split.
      batch_size: global batch size B.
      seed: 0 <= seed < 2**64.
      start_step: the first step.
      right_as_left: volumes of right eyes are mirrored along their width.
      rows: positions of the volumes in the split to train on; None: all.
      shard: (process index, process count); each process gets its B / count rows of each batch.
      backend: "tf.data" or "threads" (no TensorFlow); the same bits. None: the store's own.
      workers: threads that make batches; None: one a CPU.
      ahead: how many finished batches may wait.

    Raises ValueError, before the first batch, where there is no volume and for settings out of
    range.
    """
    counts, mirrored = store.num_scans(split), to_mirror(store.eyes(split), "OD", right_as_left)
    row_of = _training_order(store, split, rows, seed, start_step)

    def image_of(row: int, index: int) -> tuple[np.ndarray, int]:
        number = int(example_generator(seed, index).integers(counts[row]))
        image = store.triplet(split, row, number)
        return (np.flip(image, WIDTH["scan"]) if mirrored[row] else image), number

    make = _Batches(store, split, "scan", batch_size, shard, row_of, image_of)
    return make.iterate(start_step, sys.maxsize, backend, workers, ahead)


def train_cube_batches(
    store: ScreeningStore,
    split: str = "train",
    *,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    right_as_left: bool = False,
    rows: Sequence[int] | None = None,
    shard: tuple[int, int] = (0, 1),
    backend: str | None = None,
    workers: int | None = None,
    ahead: int = 2,
    crop: tuple[int, int, int] | None = None,
) -> Iterator[dict[str, Any]]:
    """Endless training batches of cubes; arguments and errors as train_scan_batches.

    Args:
      crop: (slices, depth, width) of the part of each cube that a batch holds, drawn anew for each
        example; None = all of it.
    """
    mirrored = to_mirror(store.eyes(split), "OD", right_as_left)
    row_of = _training_order(store, split, rows, seed, start_step)

    def image_of(row: int, index: int) -> tuple[np.ndarray, int]:
        cube = store.cube(split, row)
        if crop is not None:
            cube = random_part(cube, crop, example_generator(seed, index))
        return (np.flip(cube, WIDTH["cube"]) if mirrored[row] else cube), 0

    make = _Batches(store, split, "cube", batch_size, shard, row_of, image_of, crop)
    return make.iterate(start_step, sys.maxsize, backend, workers, ahead)


def eval_scan_batches(
    store: ScreeningStore,
    split: str,
    *,
    batch_size: int,
    stride: int = 1,
    rows: Sequence[int] | None = None,
    right_as_left: bool = False,
    shard: tuple[int, int] = (0, 1),
    backend: str | None = None,
    workers: int | None = None,
    ahead: int = 2,
) -> Iterator[dict[str, Any]]:
    """The B-scan triplets of every volume in order, in batches of one fixed shape.

    `index` is the position in this sequence. The last batch is filled up with rows where `valid` is
    False, `row` is -1 and `id` is "". Every process gets the same number of batches.

    Args:
      store, split, batch_size, rows, shard, backend, workers, ahead: as train_scan_batches; the
        volumes come in the order of `rows`; no volume gives no batch.
      stride: every so many B-scans one is a centre, the first in the middle of the first such
        group; the neighbours of a centre are always the B-scans next to it. 1 is all.
      right_as_left: whether the network was trained so.
    """
    if stride < 1:
        raise ValueError(f"stride={stride} must be at least 1")
    counts = store.num_scans(split)
    mirrored = to_mirror(store.eyes(split), "OD", right_as_left)
    chosen = _chosen(store, split, rows)
    examples = [(row, number) for row in chosen for number in centres(int(counts[row]), stride)]

    def row_of(index: int) -> int | None:
        return examples[index][0] if index < len(examples) else None

    def image_of(row: int, index: int) -> tuple[np.ndarray, int]:
        number = examples[index][1]
        image = store.triplet(split, row, number)
        return (np.flip(image, WIDTH["scan"]) if mirrored[row] else image), number

    make = _Batches(store, split, "scan", batch_size, shard, row_of, image_of)
    return make.iterate(0, -(-len(examples) // batch_size), backend, workers, ahead)


def eval_cube_batches(
    store: ScreeningStore,
    split: str,
    *,
    batch_size: int,
    rows: Sequence[int] | None = None,
    right_as_left: bool = False,
    shard: tuple[int, int] = (0, 1),
    backend: str | None = None,
    workers: int | None = None,
    ahead: int = 2,
) -> Iterator[dict[str, Any]]:
    """The cube of every volume in order; otherwise as eval_scan_batches."""
    mirrored = to_mirror(store.eyes(split), "OD", right_as_left)
    chosen = _chosen(store, split, rows)

    def row_of(index: int) -> int | None:
        return chosen[index] if index < len(chosen) else None

    def image_of(row: int, index: int) -> tuple[np.ndarray, int]:
        del index  # a volume has one cube
        cube = store.cube(split, row)
        return (np.flip(cube, WIDTH["cube"]) if mirrored[row] else cube), 0

    make = _Batches(store, split, "cube", batch_size, shard, row_of, image_of)
    return make.iterate(0, -(-len(chosen) // batch_size), backend, workers, ahead)


def random_part(
    cube: np.ndarray, shape: tuple[int, int, int], rng: np.random.Generator
) -> np.ndarray:
    """A part of a cube, (slices, depth, width), every place of it as likely as any other."""
    starts = [int(rng.integers(n - part + 1)) for n, part in zip(cube.shape, shape, strict=True)]
    return cube[tuple(slice(a, a + part) for a, part in zip(starts, shape, strict=True))]


def centres(count: int, stride: int) -> range:
    """The centre B-scans of a volume of `count`: every `stride`-th, at least one."""
    return range(min(stride // 2, count // 2), count, stride)


def _chosen(store: ScreeningStore, split: str, rows: Sequence[int] | None) -> list[int]:
    """The rows to use; raises ValueError for one that is not in the split, or there twice."""
    num = store.num(split)
    if rows is None:
        return list(range(num))
    rows = [int(row) for row in rows]
    wrong = sorted({row for row in rows if not 0 <= row < num})
    if wrong:
        raise ValueError(f"rows: split {split!r} has {num} volumes, and none at {wrong[0]}")
    if len(set(rows)) < len(rows):
        raise ValueError("rows: a volume is named twice")
    return rows


def _training_order(
    store: ScreeningStore, split: str, rows: Sequence[int] | None, seed: int, start_step: int
) -> Callable[[int], int]:
    """Global example index -> row; refuses bad settings now, not in a thread."""
    chosen = _chosen(store, split, rows)
    if not chosen:
        raise ValueError(
            f"no volume to train on in split {split!r} (splits: {', '.join(store.splits)})"
        )
    if start_step < 0:
        raise ValueError(f"start_step={start_step} is negative")
    example_order(len(chosen), seed, 0)
    return lambda index: chosen[example_order(len(chosen), seed, index)]


class _Batches:
    """Makes the batch of a step: row_of(global index) is a row, None for padding; image_of(row,
    global index) its image, of `shape` (None = all of the store's), and scan number."""

    def __init__(
        self,
        store: ScreeningStore,
        split: str,
        part: str,
        batch_size: int,
        shard: tuple[int, int],
        row_of: Callable[[int], int | None],
        image_of: Callable[[int, int], tuple[np.ndarray, int]],
        shape: tuple[int, ...] | None = None,
    ) -> None:
        self._share = Share.of(batch_size, shard)
        size = self._share.stop - self._share.start
        whole = image_shape(store.grid, part)
        if shape is not None and any(map(operator.gt, shape, whole)):
            raise ValueError(f"crop={shape} is larger than a {part} of {whole}")
        self._spec = screening_spec(size, part, shape or whole)
        self._labels = {name: getattr(store, name)(split) for name in ("glaucoma", "vf", "has_vf")}
        self._ids, self._backend, self._part = store.ids(split), store.backend, part
        self._row_of, self._image_of = row_of, image_of

    def arrays(self, step: int) -> dict[str, np.ndarray]:
        batch = {name: np.zeros(shape, dtype) for name, (shape, dtype) in self._spec.items()}
        for place, index in enumerate(self._share.indices(step)):
            row = self._row_of(index)
            batch["index"][place] = index % 2**32
            batch["row"][place] = -1 if row is None else row
            if row is None:
                continue
            batch["valid"][place] = True
            batch[self._part][place], batch["scan_number"][place] = self._image_of(row, index)
            for name, values in self._labels.items():
                batch[name][place] = values[row]
        return batch

    def ids(self, step: int) -> list[str]:
        rows = map(self._row_of, self._share.indices(step))
        return ["" if row is None else self._ids[row] for row in rows]

    def iterate(
        self, start: int, stop: int, backend: str | None, workers: int | None, ahead: int
    ) -> Iterator[dict[str, Any]]:
        backend = backend or self._backend
        return iterate(self.arrays, self.ids, self._spec, start, stop, backend, workers, ahead)

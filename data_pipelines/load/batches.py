"""Batches: what training step k and evaluation batch k contain, and iterators over them.

A batch is a dict of numpy arrays (B examples, images of H x W pixels, OCT of h x w x D):
  fundus uint8 (B, H, W, 3) · oct uint8 (B, h, w, D), absent without OCT · mask uint8 (B, H, W) with
  ids 0, 1, 2 and 255 · grade, glaucoma int32 (B,) · has_oct, has_mask, has_grade,
  has_glaucoma, valid bool (B,) · index uint32 (B,) · id list[str].
"""

import functools
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from data_pipelines.images import IGNORE
from data_pipelines.load.iterate import Share, Spec, iterate
from data_pipelines.load.mirrored import mirrored, to_mirror
from data_pipelines.load.order import example_order
from data_pipelines.load.stores import Store

FLAGS = ("has_oct", "has_mask", "has_grade", "has_glaucoma", "valid")
PADDING = {"mask": IGNORE}  # all else is 0


def batch_spec(size: int, side: int, oct_shape: tuple[int, int, int] | None) -> Spec:
    """Name -> (shape, dtype) of the arrays of a batch of `size` with images of `side`."""
    spec = {
        "fundus": ((size, side, side, 3), np.dtype(np.uint8)),
        "mask": ((size, side, side), np.dtype(np.uint8)),
        "grade": ((size,), np.dtype(np.int32)),
        "glaucoma": ((size,), np.dtype(np.int32)),
        "index": ((size,), np.dtype(np.uint32)),
        **{name: ((size,), np.dtype(bool)) for name in FLAGS},
    }
    if oct_shape is not None:
        spec["oct"] = ((size, *oct_shape), np.dtype(np.uint8))
    return spec


def stacked(
    spec: Spec, examples: Iterable[tuple[int, Mapping[str, Any] | None]]
) -> dict[str, np.ndarray]:
    """A batch of the given (index, example) rows, its arrays one's own.

    None is padding: nothing valid, no label, black images, all pixels ignored. Each byte of the
    images is written once.
    """
    batch = {name: np.empty(shape, dtype) for name, (shape, dtype) in spec.items()}
    for row, (index, example) in enumerate(examples):
        shown = PADDING if example is None else example
        for name, values in batch.items():
            values[row] = shown.get(name, 0)
        batch["valid"][row] = example is not None
        batch["index"][row] = index % 2**32
    if "oct" not in batch:
        batch["has_oct"][...] = False
    return batch


def train_batch(
    store: Store, split: str, share: Share, spec: Spec, seed: int, turned: np.ndarray, step: int
) -> dict[str, np.ndarray]:
    """The arrays of step `step`: a pure function of its arguments.

    `turned`: bool, which eyes of the split are mirrored.
    """

    def seen(place: int) -> Mapping[str, Any]:
        example = store.example(split, place)
        return mirrored(example) if turned[place] else example

    num = store.num(split)
    order = ((index, example_order(num, seed, index)) for index in share.indices(step))
    return stacked(spec, ((index, seen(place)) for index, place in order))


def eval_batch(
    store: Store, split: str, share: Share, spec: Spec, step: int
) -> dict[str, np.ndarray]:
    """The arrays of evaluation batch `step`; rows beyond the last example are padding."""
    num = store.num(split)
    return stacked(
        spec,
        (
            (index, store.example(split, index) if index < num else None)
            for index in share.indices(step)
        ),
    )


def train_batches(
    store: Store,
    split: str = "train",
    *,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    use_oct: bool = True,
    left_as_right: bool = False,
    shard: tuple[int, int] = (0, 1),
    backend: str | None = None,
    workers: int | None = None,
    ahead: int = 2,
) -> Iterator[dict[str, Any]]:
    """Endless training batches of steps start_step, start_step + 1, ...

    Whole images, as stored: views of them are made on the device (`imo_jax.augment`). Step k is a
    function of (seed, k) and the split alone; any start is reached at once.

    Args:
      store: the examples.
      split: its split; must not be empty.
      batch_size: global batch size B.
      seed: 0 <= seed < 2**64.
      start_step: the first step.
      use_oct: False leaves `oct` out and sets `has_oct` to False.
      left_as_right: photographs, masks and volumes of left eyes are mirrored along their width;
        eyes of unknown side are not.
      shard: (process index, process count); each process gets its B / count rows of each batch.
        `index` stays global: step * B + position in the global batch.
      backend: "tf.data" or "threads" (no TensorFlow); the same bits. None: the store's own.
      workers: threads that make batches; None: one a CPU.
      ahead: how many finished batches may wait.

    Raises ValueError, before the first batch, for an empty split and for settings out of range.
    """
    if not store.num(split):
        raise ValueError(
            f"no eye to train on: split {split!r} is empty (splits: {', '.join(store.splits)})"
        )
    if start_step < 0:
        raise ValueError(f"start_step={start_step} is negative")
    share = Share.of(batch_size, shard)
    grid = store.grid
    spec = batch_spec(
        share.stop - share.start, grid.image_size, grid.oct_shape if use_oct else None
    )
    example_order(store.num(split), seed, 0)  # refuses a bad seed now, not in a thread
    turned = to_mirror(store.sides(split), "OS", left_as_right)
    make = functools.partial(train_batch, store, split, share, spec, seed, turned)

    def names(step: int) -> list[str]:
        ids = store.ids(split)
        return [ids[example_order(len(ids), seed, index)] for index in share.indices(step)]

    return iterate(make, names, spec, start_step, sys.maxsize, backend or store.backend, workers,
                    ahead)  # fmt: skip


def eval_batches(
    store: Store,
    split: str,
    *,
    batch_size: int,
    use_oct: bool = True,
    shard: tuple[int, int] = (0, 1),
    backend: str | None = None,
    workers: int | None = None,
    ahead: int = 2,
) -> Iterator[dict[str, Any]]:
    """All examples of a split in order, whole images, in batches of one fixed shape.

    `index` is the position in the split. The last batch is filled up with rows where `valid` and
    all `has_*` are False and `id` is "". Arguments as in train_batches; an empty split gives no
    batch. Every process gets the same number of batches.
    """
    share = Share.of(batch_size, shard)
    grid = store.grid
    spec = batch_spec(
        share.stop - share.start, grid.image_size, grid.oct_shape if use_oct else None
    )
    make = functools.partial(eval_batch, store, split, share, spec)

    def names(step: int) -> list[str]:
        ids = store.ids(split)
        return [ids[index] if index < len(ids) else "" for index in share.indices(step)]

    stop = -(-store.num(split) // batch_size)
    return iterate(make, names, spec, 0, stop, backend or store.backend, workers, ahead)

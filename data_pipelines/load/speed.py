"""`python -m data_pipelines.load.speed --manifest=FILE`: how fast this machine makes batches.

Two tables: images per second of whole pipelines, each measured in turn and over again so that other
work on the machine falls on all of them alike; and the processor time of each stage of one image.
"""

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.load.batches import batch_spec, stacked, train_batches
from data_pipelines.load.stores import ArrayStore, Store
from data_pipelines.manifest import Manifest, read_manifest


def pipelines(
    stores: Sequence[Store],
    batch_size: int,
    batches: int,
    repeats: int,
    workers: int,
) -> list[dict[str, Any]]:
    """Images per second of every (store, backend): median, least and most.

    `ratio` is the median over that of the first row; `cpu_ms` the processor time of one image, all
    threads together, which other work on the machine hardly changes.
    """
    cases = [
        {
            "store": type(store).__name__,
            "backend": backend,
            "workers": number,
        }
        for store in stores
        for backend, number in (("threads", 1), ("threads", workers), ("tf.data", workers))
        if backend == "threads" or store.backend == "tf.data"
    ]
    by_name = {type(store).__name__: store for store in stores}
    speeds: list[list[float]] = [[] for _ in cases]
    costs: list[list[float]] = [[] for _ in cases]
    for _ in range(repeats):
        for case, measured, cost in zip(cases, speeds, costs, strict=True):
            iterator = train_batches(
                by_name[case["store"]],
                batch_size=batch_size,
                seed=0,
                backend=case["backend"],
                workers=case["workers"],
            )
            wall, processor = seconds(iterator, batches)
            measured.append(batches * batch_size / wall)
            cost.append(1000 * processor / (batches * batch_size))
    reference = statistics.median(speeds[0])
    return [
        {
            **case,
            "images_per_second": round(statistics.median(measured)),
            "least": round(min(measured)),
            "most": round(max(measured)),
            "ratio": round(statistics.median(measured) / reference, 2),
            "cpu_ms": round(statistics.median(cost), 2),
        }
        for case, measured, cost in zip(cases, speeds, costs, strict=True)
    ]


def seconds(iterator, batches: int) -> tuple[float, float]:
    """Wall and processor seconds of so many batches; closes the iterator."""
    # What was made ahead while nobody waited does not count.
    for _ in itertools.islice(iterator, 4):
        pass
    wall, processor = time.perf_counter(), time.process_time()
    for _ in itertools.islice(iterator, batches):
        pass
    spent = time.perf_counter() - wall, time.process_time() - processor
    iterator.close()
    return spent


def stages(store: Store, batch_size: int, images: int) -> list[dict[str, Any]]:
    """Processor milliseconds of one thread for each stage of one image, mean over `images`."""
    num = store.num("train")
    eye = store.example("train", 0)
    spec = batch_spec(batch_size, store.grid.image_size, store.grid.oct_shape)
    rows = [(i, eye) for i in range(batch_size)]
    batches = max(1, images // batch_size)
    return [
        {"stage": "read", "ms": _milliseconds(lambda i: store.example("train", i % num), images)},
        {"stage": "stack", "ms": _milliseconds(lambda _: stacked(spec, rows), batches) / batch_size},
    ]


def _milliseconds(call: Callable[[int], Any], images: int) -> float:
    call(0)
    start = time.thread_time()
    for i in range(images):
        call(i)
    return round(1000 * (time.thread_time() - start) / images, 3)


def _stores(manifest: Manifest, args: argparse.Namespace, cache_dir: str) -> list[Store]:
    shape = None if args.no_oct else tuple(args.oct_shape)
    stores: list[Store] = [
        ArrayStore.from_manifest(manifest, args.image_size, shape, splits=("train",))
    ]
    if not args.arrays_only:
        from data_pipelines.builders.multimodal import prepare  # needs TensorFlow

        stores.insert(0, prepare(manifest, cache_dir, args.image_size, shape, splits=("train",)))
    return stores


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as aligned text, under the names of their columns."""
    columns = list(rows[0])
    cells = [columns, *([str(row[name]) for name in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return "\n".join(
        "  ".join(f"{c:>{w}}" for c, w in zip(line, widths, strict=True)) for line in cells
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m data_pipelines.load.speed", description=__doc__
    )
    parser.add_argument("--manifest", type=Path, required=True, help="needs a train split")
    parser.add_argument("--data_root", type=Path)
    parser.add_argument("--cache_dir", type=Path, help="default: a temporary folder")
    parser.add_argument("--image_size", type=int, default=192)
    parser.add_argument(
        "--oct_shape", type=int, nargs=3, default=(64, 64, 16), metavar=("DEPTH", "WIDTH", "SLICES")
    )
    parser.add_argument("--no_oct", action="store_true")
    parser.add_argument("--arrays_only", action="store_true", help="leave TFDS and tf.data out")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--batches", type=int, default=40, help="measured at a time")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true", help="JSON instead of tables")
    args = parser.parse_args(arguments)
    manifest = read_manifest(args.manifest, args.data_root)
    with tempfile.TemporaryDirectory() as temporary:
        stores = _stores(manifest, args, args.cache_dir or temporary)
        if not stores[0].num("train"):
            parser.error(f"{args.manifest} has no eye in its train split")
        result = {
            "pipelines": pipelines(
                stores, args.batch_size, args.batches, args.repeats, args.workers
            ),
            "stages": stages(stores[0], args.batch_size, images=100),
        }
    if args.json:
        json.dump(result, sys.stdout, indent=1)
        print()
    else:
        print("\n\n".join(table(rows) for rows in result.values()))


if __name__ == "__main__":
    main()

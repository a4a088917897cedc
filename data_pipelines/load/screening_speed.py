"""`python -m data_pipelines.load.screening_speed --manifest=FILE`: how fast scan batches are made.

One table: B-scan triplets per second of each way to make them, measured in turn and over again so
that other work on the machine falls on all of them alike.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.load.screening_batches import eval_scan_batches, train_scan_batches
from data_pipelines.load.screening_stores import ScreeningArrayStore, ScreeningStore
from data_pipelines.load.speed import seconds, table
from data_pipelines.manifest import ScreeningManifest, read_screening_manifest

Case = tuple[str, Callable[[], Iterator[dict[str, Any]]]]


def cases(stores: Sequence[ScreeningStore], batch_size: int, workers: int) -> list[Case]:
    """(what is measured, an iterator of its batches): training; evaluation."""
    made: list[Case] = []
    for store in stores:
        name = {"tf.data": "TFDS store", "threads": "arrays"}[store.backend]
        made.append(
            (
                f"{name}, {store.backend}, training",
                lambda store=store: train_scan_batches(
                    store, batch_size=batch_size, seed=0, workers=workers
                ),
            )
        )
        made.append(
            (
                f"{name}, {store.backend}, evaluation",
                lambda store=store: _endless(store, batch_size, workers),
            )
        )
    return made


def _endless(store: ScreeningStore, batch_size: int, workers: int) -> Iterator[dict[str, Any]]:
    while True:
        yield from eval_scan_batches(store, "train", batch_size=batch_size, workers=workers)


def measure(
    measured: Sequence[Case], batch_size: int, batches: int, repeats: int
) -> list[dict[str, Any]]:
    """Images per second of every case: median, least and most, and processor time an image."""
    speeds: list[list[float]] = [[] for _ in measured]
    costs: list[list[float]] = [[] for _ in measured]
    images = batches * batch_size
    for _ in range(repeats):
        for (_, start), speed, cost in zip(measured, speeds, costs, strict=True):
            wall, processor = seconds(start(), batches)
            speed.append(images / wall)
            cost.append(1000 * processor / images)
    return [
        {
            "case": name,
            "images_per_second": round(statistics.median(speed)),
            "least": round(min(speed)),
            "most": round(max(speed)),
            "cpu_ms": round(statistics.median(cost), 2),
        }
        for (name, _), speed, cost in zip(measured, speeds, costs, strict=True)
    ]


def _stores(
    manifest: ScreeningManifest, args: argparse.Namespace, cache_dir: str
) -> list[ScreeningStore]:
    sizes = {"scan_size": args.scan_size, "max_scans": args.max_scans, "splits": ("train",)}
    stores = [ScreeningArrayStore.from_manifest(manifest, **sizes)]
    if not args.arrays_only:
        # Needs TensorFlow.
        from data_pipelines.builders.oct_screening import prepare_screening

        stores.insert(0, prepare_screening(manifest, cache_dir, **sizes))
    return stores


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m data_pipelines.load.screening_speed", description=__doc__
    )
    parser.add_argument("--manifest", type=Path, required=True, help="needs a train split")
    parser.add_argument("--data_root", type=Path)
    parser.add_argument("--cache_dir", type=Path, help="default: a temporary folder")
    parser.add_argument("--scan_size", type=int, default=224)
    parser.add_argument("--max_scans", type=int)
    parser.add_argument("--arrays_only", action="store_true", help="leave TFDS and tf.data out")
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--batches", type=int, default=10, help="measured at a time")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args(arguments)
    manifest = read_screening_manifest(args.manifest, args.data_root)
    with tempfile.TemporaryDirectory() as temporary:
        stores = _stores(manifest, args, args.cache_dir or temporary)
        if not stores[0].num("train"):
            parser.error(f"{args.manifest} has no volume in its train split")
        measured = cases(stores, args.batch_size, args.workers)
        print(table(measure(measured, args.batch_size, args.batches, args.repeats)))


if __name__ == "__main__":
    main()

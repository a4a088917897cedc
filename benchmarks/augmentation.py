"""`python -m benchmarks.augmentation`: what the augmentation of an image takes on this machine's device.

Random bytes are augmented as training does it, by the two programs before a step; printed are the
quickest tenth and the median of the wall time, and the median of the processor time, an image.
"""

import argparse
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.augment.augmentation import Augmentation, of_eyes, of_images
from imo_jax.augment.config import AugmentConfig
from imo_jax.augment.scan_config import ScanAugmentConfig


def eyes(side: int, volume: tuple[int, int, int], number: int) -> tuple[Augmentation, dict]:
    """Augmentation of whole photographs with volumes, and a batch of so many."""
    rng = np.random.default_rng(0)
    batch = {
        "fundus": rng.integers(0, 256, (number, side, side, 3), np.uint8),
        "mask": rng.integers(0, 3, (number, side, side), np.uint8),
        "oct": rng.integers(0, 256, (number, *volume), np.uint8),
        "has_mask": np.ones(number, bool),
        "has_oct": np.ones(number, bool),
    }
    return of_eyes(AugmentConfig(crop_size=side, crop_mode="none"), volume), batch


def images(part: str, shape: tuple[int, int, int], number: int) -> tuple[Augmentation, dict]:
    """Augmentation of B-scan triplets ("scan") or cubes, and a batch of so many."""
    values = np.random.default_rng(0).integers(0, 256, (number, *shape), np.uint8)
    return of_images(ScanAugmentConfig(), part, shape), {part: values}


def cases(small: bool) -> dict[str, tuple[Augmentation, dict]]:
    """What is measured -> how it is augmented, and the batch."""
    if small:
        return {"eyes": eyes(16, (4, 4, 4), 2), "scans": images("scan", (8, 8, 3), 2)}
    return {
        "eyes of 128 pixels, OCT 64 x 64 x 16": eyes(128, (64, 64, 16), 4),
        "eyes of 640 pixels, OCT 64 x 256 x 128": eyes(640, (64, 256, 128), 2),
        "B-scan triplets of 224 pixels": images("scan", (224, 224, 3), 8),
        "cubes of 32 x 64 x 64": images("cube", (32, 64, 64), 8),
    }


def milliseconds(augmentation: Augmentation, batch: dict, repeats: int) -> tuple[float, ...]:
    """An image: quickest tenth and median of the wall time, median of the processor time."""
    number = len(next(iter(batch.values())))
    index = jnp.arange(number, dtype=jnp.uint32)[None]
    # (B, ...) -> (accumulation, B, ...)
    device = {name: jnp.asarray(value)[None] for name, value in batch.items()} | {"index": index}
    draws = jax.jit(lambda index: augmentation.draws(index, key=jax.random.key(0)))
    views = jax.jit(augmentation.views)
    call: Callable = lambda: jax.block_until_ready(views(device, draws(index)))
    call()
    wall, processor = [], []
    for _ in range(repeats):
        begun, used = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - begun)
        processor.append(time.process_time() - used)
    scale = 1000 / number
    return scale * np.percentile(wall, 10), scale * np.median(wall), scale * np.median(processor)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.augmentation", description=__doc__)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--small", action="store_true", help="tiny sizes, to see that it runs")
    args = parser.parse_args(arguments)
    print(f"{'ms an image':40} {'tenth':>7} {'median':>7} {'cpu':>7}")
    for name, (augmentation, batch) in cases(args.small).items():
        tenth, median, used = milliseconds(augmentation, batch, args.repeats)
        print(f"{name:40} {tenth:7.2f} {median:7.2f} {used:7.2f}")


if __name__ == "__main__":
    main()

"""Random batches as they travel: uint8 images and their labels, the same for every process."""

import numpy as np

from benchmarks.speed.task import DESCRIPTOR, Task

Arrays = dict[str, np.ndarray]

IDS = np.array([0, 0, 0, 0, 0, 1, 2, 255], np.int32)  # of a mask's pixels, each as often


def batch_of(task: Task) -> Arrays:
    """The batch of a task that has a model, as the loaders give it."""
    makers = {"imo": eyes, "semt": scans, "unet": photographs, "two_stages": photographs}
    return makers[task.model](task)


def eyes(task: Task) -> Arrays:
    """Photographs, volumes, masks and grades; one pixel in eight has no label."""
    random = np.random.default_rng(0)
    n, side, oct_side = task.batch, task.size, task.oct_size
    there = np.ones(n, bool)
    return {
        "fundus": random.integers(0, 256, (n, side, side, 3), np.uint8),
        "oct": random.integers(
            0, 256, (n, oct_side, oct_side, task.network["oct_slices"]), np.uint8
        ),
        "mask": IDS[random.integers(0, len(IDS), (n, side, side))],
        "grade": random.integers(0, task.network["num_grades"], n, np.int32),
        "has_oct": there,
        "has_mask": there,
        "has_grade": there,
        "valid": there,
        "index": np.arange(n, dtype=np.uint32),
    }


def photographs(task: Task) -> Arrays:
    """Photographs and masks, no grades; one pixel in eight has no label."""
    random = np.random.default_rng(0)
    n, side = task.batch, task.size
    there = np.ones(n, bool)
    return {
        "fundus": random.integers(0, 256, (n, side, side, 3), np.uint8),
        "mask": IDS[random.integers(0, len(IDS), (n, side, side))],
        "grade": np.zeros(n, np.int32),
        "has_mask": there,
        "has_grade": ~there,
        "valid": there,
        "index": np.arange(n, dtype=np.uint32),
    }


def scans(task: Task) -> Arrays:
    """B-scan triplets, classes and visual fields, of which one in three is missing."""
    random = np.random.default_rng(0)
    n, side = task.batch, task.size
    fields = random.uniform((0.0, -33.0, 0.0), (100.0, 3.0, 20.0), (n, 3))
    measured = np.arange(n) % 3 != 2
    return {
        "scan": random.integers(0, 256, (n, side, side, 3), np.uint8),
        "glaucoma": random.integers(0, 2, n, np.int32),
        "vf": np.where(measured[:, None], fields, 0.0).astype(np.float32),
        "has_vf": np.repeat(measured[:, None], 3, axis=1),
        "valid": np.ones(n, bool),
        "index": np.arange(n, dtype=np.uint32),
    }


def descriptors(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Queries (batch, 512) and donors (size, 512), float32: not negative, skewed, some near 0."""
    random = np.random.default_rng(0)
    return tuple(
        np.cbrt(random.standard_gamma(0.5, (n, DESCRIPTOR), np.float32))
        for n in (task.batch, task.size)
    )

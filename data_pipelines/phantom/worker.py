"""Render one share of a phantom's eyes to files; `dataset` starts one such process per worker.

A process of its own, not a fork: the caller may hold JAX or TensorFlow threads.
"""

import argparse
import pathlib

import numpy as np
from PIL import Image

from data_pipelines.phantom.eye import Eye, eyes_of


def volume_name(eye: Eye, visit: int, number: int) -> str:
    """File stem and screening id of one volume."""
    return f"{eye.id}_v{visit}_{number}"


def write_eye(root: pathlib.Path, eye: Eye, visits: int, volumes_per_visit: int) -> None:
    """Write the photograph, the mask and all volumes of one eye below `root`."""
    image, mask, quality = eye.photograph()
    Image.fromarray(image).save(root / "fundus" / f"{eye.id}.jpg", quality=quality)
    Image.fromarray(mask).save(root / "masks" / f"{eye.id}.png")
    for visit in range(1, visits + 1):
        for number in range(1, volumes_per_visit + 1):
            name = volume_name(eye, visit, number)
            np.save(root / "oct" / f"{name}.npy", eye.volume(visit, number))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    for name in ("eyes", "seed", "visits", "volumes_per_visit", "share", "shares"):
        parser.add_argument(f"--{name}", type=int, required=True)
    args = parser.parse_args()
    for eye in eyes_of(args.seed, args.eyes)[args.share :: args.shares]:
        write_eye(args.out, eye, args.visits, args.volumes_per_visit)
        print(eye.id, flush=True)


if __name__ == "__main__":
    main()

"""Check and preparation of a large set of OCT volumes: rate and peak memory of each start.

python -m data_pipelines.builders.large_set --volumes=40 --shape=200,1024,200 --out=DIR

Makes the set (noise that is smooth along depth, one .npy a volume, one byte a voxel or --dtype) and starts a
process of its own for each case: the first check and preparation, the same again, one changed label,
one more volume. Memory is the highest resident size of that process, libraries included.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

import numpy as np

from data_pipelines.builders.oct_screening import prepare_screening
from data_pipelines.manifest.check import check_screening_manifest
from data_pipelines.manifest.screening import (
    ScreeningVolume,
    read_screening_manifest,
    write_screening_manifest,
)

CASES = ("first", "again", "label", "one more")
WHITE = {"uint8": 255, "uint16": 65535, "float32": 1, "float64": 1}  # dtype -> number of white


def make_volume(
    path: pathlib.Path, shape: tuple[int, int, int], seed: int, dtype: str = "uint8"
) -> None:
    """Writes a volume that no check doubts: bright layers at a depth of its own, and noise."""
    slices, depth, width = shape
    rng = np.random.default_rng(seed)
    layers = 90 * np.exp(-(((np.arange(depth) / depth - rng.uniform(0.4, 0.6)) / 0.08) ** 2))
    volume = np.empty(shape, dtype)
    for b_scan in volume:
        grey = layers[:, None] + rng.integers(0, 120, (depth, width), np.uint8)
        b_scan[...] = grey * (WHITE[dtype] / 255)
    np.save(path, volume)


def volumes_of(folder: pathlib.Path, count: int, changed: bool = False) -> list[ScreeningVolume]:
    """The rows of the set's manifest; `changed`: the first has the other class."""
    rows = []
    for i in range(count):
        split = ("train", "train", "val", "test")[i % 4]
        glaucoma = (i // 4 + (changed and i == 0)) % 2
        names = (f"v{i}", f"p{i}", "OD", "1", split, (folder / f"v{i}.npy").absolute())
        rows.append(ScreeningVolume(*names, glaucoma, md=-1.0 - 5 * glaucoma))
    return rows


def start(folder: pathlib.Path, scan_size: int) -> dict[str, float]:
    """What a program does before its first step: seconds of check and preparation, processor seconds
    of both in all threads, peak memory."""
    manifest = folder / "screening.csv"
    begun, used = time.monotonic(), time.process_time()
    found = check_screening_manifest(manifest, memory=folder / "cache" / "checked.sqlite")
    if found:
        raise SystemExit(f"the made-up set is doubted: {found[0]}")
    checked = time.monotonic()
    store = prepare_screening(read_screening_manifest(manifest), folder / "cache", scan_size)
    store.triplet("train", 0, 0)
    # Not getrusage: what it gives counts the process that this one was forked from.
    status = pathlib.Path("/proc/self/status").read_text()
    peak = 1024 * int(status.split("VmHWM:")[1].split()[0])
    return {
        "check_s": checked - begun,
        "prepare_s": time.monotonic() - checked,
        "cpu_s": time.process_time() - used,
        "peak_gb": peak / 1e9,
    }


def measured(folder: pathlib.Path, scan_size: int) -> dict[str, float]:
    """`start` in a fresh process."""
    command = [
        sys.executable, "-m", "data_pipelines.builders.large_set", f"--start={folder}",
        f"--scan_size={scan_size}",
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(
    folder: pathlib.Path,
    count: int,
    shape: tuple[int, int, int],
    scan_size: int,
    dtype: str = "uint8",
) -> dict[str, dict[str, float]]:
    """Case -> its figures, on a set of `count` volumes and, last, one more."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count + 1):
        make_volume(folder / f"v{i}.npy", shape, i, dtype)
    found = {}
    for case in CASES:
        rows = volumes_of(folder, count + (case == "one more"), changed=case == "label")
        write_screening_manifest(folder / "screening.csv", rows)
        found[case] = measured(folder, scan_size)
        print(f"{case:9}", "  ".join(f"{k} {v:8.2f}" for k, v in found[case].items()), flush=True)
    return found


def voxels(text: str) -> tuple[int, int, int]:
    """(slices, depth, width) from "200,1024,200"."""
    slices, depth, width = map(int, text.split(","))
    return slices, depth, width


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m data_pipelines.builders.large_set", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--volumes", type=int, default=40)
    parser.add_argument("--shape", type=voxels, default=(200, 1024, 200))
    parser.add_argument("--dtype", choices=tuple(WHITE), default="uint8", help="of a voxel")
    parser.add_argument(
        "--scan_size", type=int, default=224, help="pixels of a prepared B-scan; SEMT's are 224"
    )
    parser.add_argument("--out", type=pathlib.Path, help="folder of the set, of any content")
    parser.add_argument("--start", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.start is not None:
        print(json.dumps(start(options.start, options.scan_size)))
        return
    if options.out is None:
        parser.error("give --out, a folder for the set")
    compare(options.out, options.volumes, options.shape, options.scan_size, options.dtype)


if __name__ == "__main__":
    main()

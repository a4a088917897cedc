"""Check and preparation of a large set: rate and peak memory of each start.

python -m data_pipelines.builders.large_set --number=40 --shape=200,1024,200 --out=DIR
python -m data_pipelines.builders.large_set --kind=eyes --number=4877 --shape=8,32,32 --out=DIR

Makes the set (builders.made_sets; volumes as .npy, or --suffix, of one byte a voxel, or --dtype) and starts a
process of its own for each case: the first check and preparation, the same again, one changed label,
one item more. Memory is the highest resident size of that process, libraries included.

With --program="experiments.imo --mode=train --train_steps=3" the process is that program, from its start to
its first step: processor seconds of all threads until files are checked, until they are prepared, and until
then. What it caches and writes lies in the folder of the set; one that is there is not made again.
"""

import argparse
import json
import pathlib
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable

from data_pipelines.builders.made_sets import (
    SUFFIXES,
    WHITE,
    make_eye,
    make_volume,
    write_eyes,
    write_volumes,
)
from data_pipelines.builders.multimodal import prepare
from data_pipelines.builders.oct_screening import prepare_screening
from data_pipelines.builders.program_start import peak_bytes, until_said
from data_pipelines.manifest import read_manifest, read_screening_manifest
from data_pipelines.manifest.check import check_manifest, check_screening_manifest

CASES = ("first", "again", "label", "one more")
EYE_SIDE = 96  # pixels of the photographs


def prepare_volumes(folder: pathlib.Path, size: int) -> tuple[list, Callable[[], object]]:
    """Problems of a set of volumes, and what prepares it and reads an example."""
    manifest = folder / "screening.csv"
    problems = check_screening_manifest(manifest, memory=folder / "cache" / "checked.sqlite")

    def prepared() -> object:
        store = prepare_screening(read_screening_manifest(manifest), folder / "cache", size)
        return store.triplet("train", 0, 0)

    return problems, prepared


def prepare_eyes(folder: pathlib.Path, size: int) -> tuple[list, Callable[[], object]]:
    """As prepare_volumes, of eyes."""
    manifest = folder / "manifest.csv"
    problems = check_manifest(manifest, memory=folder / "cache" / "checked.sqlite")

    def prepared() -> object:
        store = prepare(read_manifest(manifest), folder / "cache", size, (32, 32, 8))
        return store.example("train", 0)

    return problems, prepared


PREPARE = {"volumes": prepare_volumes, "eyes": prepare_eyes}


def start(kind: str, folder: pathlib.Path, size: int) -> dict[str, float]:
    """What a program does before its first step: seconds of check and preparation, processor seconds
    of both in all threads, peak memory."""
    begun, used = time.monotonic(), time.process_time()
    found, prepared = PREPARE[kind](folder, size)
    if found:
        raise SystemExit(f"the made-up set is doubted: {found[0]}")
    checked = time.monotonic()
    prepared()
    return {
        "check_s": checked - begun,
        "prepare_s": time.monotonic() - checked,
        "cpu_s": time.process_time() - used,
        "peak_gb": peak_bytes("self") / 1e9,
    }


def measured(kind: str, folder: pathlib.Path, size: int) -> dict[str, float]:
    """`start` in a fresh process."""
    command = [
        sys.executable, "-m", "data_pipelines.builders.large_set", f"--start={folder}",
        f"--kind={kind}", f"--size={size}",
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def started(program: str, folder: pathlib.Path, case: str, manifest: pathlib.Path) -> dict[str, float]:
    """`program`, a module and its flags, until its first step; see program_start.until_said."""
    workdir = folder / "runs" / case.replace(" ", "_")
    shutil.rmtree(workdir, ignore_errors=True)
    command = [sys.executable, "-m", *shlex.split(program)]
    command += [f"--manifest={manifest}", f"--workdir={workdir}"]
    marks = {"checked": "OCT volumes by their numbers", "prepared": "data: ", "step": "step 1:"}
    return until_said(command, marks, {"IMO_JAX_CACHE": str(folder / "cache")})


def make(
    kind: str,
    folder: pathlib.Path,
    count: int,
    shape: tuple[int, int, int],
    dtype: str = "uint8",
    suffix: str = ".npy",
) -> None:
    """The files of `count` items."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        if kind == "eyes":
            make_eye(folder, EYE_SIDE, shape, i)
        else:
            make_volume(folder / f"v{i}{suffix}", shape, i, dtype)


def write(
    kind: str, folder: pathlib.Path, case: str, count: int, suffix: str = ".npy"
) -> pathlib.Path:
    """The manifest of a case, of a set of `count` items and, where they are asked for, one more."""
    count, changed = count + (case == "one more"), case == "label"
    if kind == "eyes":
        return write_eyes(folder, count, changed)
    return write_volumes(folder, count, changed, suffix)


def compare(
    kind: str,
    folder: pathlib.Path,
    count: int,
    shape: tuple[int, int, int],
    size: int,
    dtype: str = "uint8",
    suffix: str = ".npy",
    program: str | None = None,
) -> dict[str, dict[str, float]]:
    """Case -> its figures, on a set of `count` items and, last, one more."""
    if program is None or not folder.exists():
        make(kind, folder, count + 1, shape, dtype, suffix)
    found = {}
    for case in CASES:
        manifest = write(kind, folder, case, count, suffix)
        found[case] = (
            measured(kind, folder, size)
            if program is None
            else started(program, folder, case, manifest)
        )
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
    parser.add_argument("--kind", choices=tuple(PREPARE), default="volumes")
    parser.add_argument("--number", type=int, default=40, help="of volumes or eyes")
    parser.add_argument("--shape", type=voxels, default=(200, 1024, 200), help="of a volume")
    parser.add_argument("--dtype", choices=tuple(WHITE), default="uint8", help="of a voxel")
    parser.add_argument("--suffix", choices=SUFFIXES, default=".npy", help="of a volume")
    parser.add_argument(
        "--size", type=int, default=224, help="pixels of a prepared B-scan or photograph"
    )
    parser.add_argument("--program", help="to be started, a module and its flags")
    parser.add_argument("--out", type=pathlib.Path, help="folder of the set, of any content")
    parser.add_argument("--start", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.start is not None:
        print(json.dumps(start(options.kind, options.start, options.size)))
        return
    if options.out is None:
        parser.error("give --out, a folder for the set")
    compare(options.kind, options.out, options.number, options.shape, options.size, options.dtype,
            options.suffix, options.program)  # fmt: skip


if __name__ == "__main__":
    main()

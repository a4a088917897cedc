"""Whether a train step and a prediction come out on this machine's device as they do on its CPU.

python -m benchmarks.gpu.numerics --size=128 --json=gpu.jsonl

The same weights, batch and draws in float32 (no TF32) in two processes, one held to the CPU;
compared are the losses, the gradient's norm, every clipped gradient, and the probabilities.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

MODULE = "benchmarks.gpu.numerics"
# Relative error in the Euclidean norm; sums are taken in other orders. Of gradients more: at the
# first step some are small differences of large numbers.
TOLERANCES = {"train": 1e-2, "sample": 1e-3}


def compute(what: str, size: int, file: pathlib.Path) -> None:
    """Writes what a case computes first, and on what device, to an .npz."""
    import dataclasses

    from benchmarks.speed import jax_runtime
    from benchmarks.speed.jax_cases import case_of
    from benchmarks.speed.machine import processor
    from benchmarks.speed.task import Task
    from imo_jax.models.imo import SIZES

    jax_runtime.set_up("float32")
    network = dataclasses.asdict(SIZES["tiny"])
    case = case_of(Task(what, "imo", "tiny", network, size, 2, "float32", oct_size=64))
    device = jax_runtime.accelerator() or processor()
    np.savez(file, device=device, **{f"array/{n}": x for n, x in case.first().items()})


def computed(what: str, size: int, folder: pathlib.Path, platform: str | None) -> dict:
    """`compute` in a process of its own, on the CPU where `platform` says so."""
    file = folder / f"{what}-{platform}.npz"
    environment = os.environ | ({"JAX_PLATFORMS": platform} if platform else {})
    asked = [sys.executable, "-m", MODULE, f"--what={what}", f"--size={size}", f"--out={file}"]
    subprocess.run(asked, env=environment, check=True)
    with np.load(file) as arrays:
        return dict(arrays)


def errors(found: dict, expected: dict) -> dict[str, float]:
    """Name -> relative error of each array in the Euclidean norm."""
    names = [name for name in expected if name.startswith("array/")]
    scale = {name: np.linalg.norm(expected[name].astype(np.float64)) for name in names}
    return {
        name.removeprefix("array/"): float(
            np.linalg.norm(found[name].astype(np.float64) - expected[name]) / max(scale[name], 1e-12)
        )
        for name in names
    }


def compare(size: int, json_file: pathlib.Path | None) -> int:
    """Compares train step and prediction; 1 where one differs by more than its tolerance."""
    worst_code = 0
    with tempfile.TemporaryDirectory() as folder:
        for what, tolerance in TOLERANCES.items():
            here, cpu = (computed(what, size, pathlib.Path(folder), p) for p in (None, "cpu"))
            found = errors(here, cpu)
            name = max(found, key=found.get)
            agrees = found[name] <= tolerance
            worst_code |= not agrees
            line = {
                "what": f"numerics of {what}",
                "device": str(here["device"]),
                "worst": name,
                "relative_error": found[name],
                "tolerance": tolerance,
                "agrees": agrees,
            }
            print(json.dumps(line))
            if json_file is not None:
                with json_file.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
    return int(worst_code)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}")
    parser.add_argument("--size", type=int, default=128, help="side of the images in pixels")
    parser.add_argument("--json", type=pathlib.Path, help="append JSON lines here")
    parser.add_argument("--what", choices=list(TOLERANCES), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=pathlib.Path, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.out is not None:
        compute(args.what, args.size, args.out)
        return 0
    return compare(args.size, args.json)


if __name__ == "__main__":
    sys.exit(main())

"""Where the time of IMO's train step goes: its largest kernels, by JAX's profiler.

python -m benchmarks.gpu.kernels --size=640 --batch=6 --precision=bfloat16 --json=gpu.jsonl
"""

import argparse
import collections
import dataclasses
import json
import pathlib
import sys
import tempfile

import jax

from benchmarks.speed import jax_runtime
from benchmarks.speed.jax_cases import case_of
from benchmarks.speed.machine import processor
from benchmarks.speed.task import PRECISIONS, Task
from imo_jax.models.imo import SIZES

MODULE = "benchmarks.gpu.kernels"
STEPS = 3  # that are profiled
SHOWN = 20


def profiled(run, folder: pathlib.Path) -> dict[str, float]:
    """Name of each operation -> seconds in one call of `run`, the largest first."""
    run()
    with jax.profiler.trace(folder):
        for _ in range(STEPS):
            run()
    (file,) = folder.rglob("*.xplane.pb")
    seconds: collections.Counter[str] = collections.Counter()
    for plane in jax.profiler.ProfileData.from_file(str(file)).planes:
        for line in plane.lines:
            if is_device_line(plane.name, line.name):
                for event in line.events:
                    seconds[event.name] += event.duration_ns / 1e9 / STEPS
    return dict(seconds.most_common())


def is_device_line(plane: str, line: str) -> bool:
    """Whether a line of a profile holds what a device did, kernel by kernel."""
    if plane.startswith("/device:GPU"):
        return line.startswith("Stream")
    # Without a GPU: the threads in which XLA runs on the CPU.
    return plane == "/host:CPU" and "xla" in line.lower()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__)
    parser.add_argument("--config", default="convnext_tiny", choices=list(SIZES))
    parser.add_argument("--size", type=int, default=640)
    parser.add_argument("--batch", type=int, default=6)
    parser.add_argument("--oct_size", type=int, default=256)
    parser.add_argument("--precision", default="float32", choices=PRECISIONS)
    parser.add_argument("--json", type=pathlib.Path, help="append a JSON line here")
    args = parser.parse_args(argv)
    jax_runtime.set_up(args.precision)
    dtype = "bfloat16" if args.precision == "bfloat16" else "float32"
    network = dataclasses.asdict(dataclasses.replace(SIZES[args.config], dtype=dtype))
    task = Task(
        "train", "imo", args.config, network, args.size, args.batch, args.precision,
        oct_size=args.oct_size,
    )  # fmt: skip
    case = case_of(task)
    with tempfile.TemporaryDirectory() as folder:
        seconds = profiled(case.run, pathlib.Path(folder))
    total = sum(seconds.values())
    shown = [
        {"kernel": name, "ms": 1e3 * value, "share": value / total}
        for name, value in list(seconds.items())[:SHOWN]
    ]
    for row in shown:
        print(f"{row['ms']:8.3f} ms {100 * row['share']:5.1f} %  {row['kernel'][:100]}")
    line = {
        "what": "kernels of the train step",
        "device": jax_runtime.accelerator() or processor(),
        "size": args.size,
        "batch": args.batch,
        "precision": args.precision,
        "kernel_ms": 1e3 * total,
        "kernels": shown,
    }
    if args.json is not None:
        with args.json.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    return 0 if seconds else 1


if __name__ == "__main__":
    sys.exit(main())

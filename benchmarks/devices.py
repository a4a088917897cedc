"""`python -m benchmarks.devices`: what a training step costs on 1, 2 and 4 devices and in 2 processes.

The default network trains on the CPU, cut into so many devices, on the same eyes with the same
batches. Each command runs twice, of different lengths; what the longer one takes more, divided by its
steps, is the cost of a step, whatever start and compilation take. At the end every array of the last
checkpoint is compared with that of one device.
"""

import argparse
import dataclasses
import os
import pathlib
import resource
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np
from flax import traverse_util

from imo_jax.checkpoints import Checkpoints

SHORT, LONG = 10, 50  # steps
SMALL = ("--image_size=32", "--crop_size=32", "--oct_depth=16", "--oct_width=16")


@dataclasses.dataclass(frozen=True)
class Layout:
    """How the devices of a training lie: `processes` with `devices` each."""

    processes: int
    devices: int

    def __str__(self) -> str:
        devices = f"{self.devices} device{'s' * (self.devices > 1)}"
        return devices if self.processes == 1 else f"{self.processes} processes of {devices}"


LAYOUTS = (Layout(1, 1), Layout(1, 2), Layout(1, 4), Layout(2, 1))


def phantom(folder: pathlib.Path) -> pathlib.Path:
    """The manifest of a few phantom eyes, made in a folder."""
    command = [sys.executable, "-m", "data_pipelines.phantom", f"--out={folder}", "--eyes=16"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder / "manifest.csv"


def places(processes: int) -> list[tuple[str, ...]]:
    """The flags of each process."""
    if processes == 1:
        return [()]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = (f"--coordinator=localhost:{port}", f"--num_processes={processes}")
    return [(*shared, f"--process_id={index}") for index in range(processes)]


def train(layout: Layout, steps: int, workdir: pathlib.Path, settings: tuple[str, ...]) -> None:
    """Trains to the end.

    Raises:
      subprocess.CalledProcessError: a process failed; its output is shown.
    """
    devices = f"--xla_force_host_platform_device_count={layout.devices}"
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": devices}
    command = (
        sys.executable, "-m", "experiments.imo", "--mode=train", f"--workdir={workdir}",
        f"--train_steps={steps}", "--eval_every=100000", "--save_every=0", "--warmup_steps=1",
        "--region=photograph", *settings,
    )  # fmt: skip
    started = [
        subprocess.Popen(
            (*command, *place), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for place in places(layout.processes)
    ]
    outputs = [process.communicate()[0].decode() for process in started]
    for process, output in zip(started, outputs, strict=True):
        if process.returncode:
            sys.stderr.write(output)
            raise subprocess.CalledProcessError(process.returncode, process.args)


def seconds(
    layout: Layout, steps: int, workdir: pathlib.Path, settings: tuple[str, ...]
) -> np.ndarray:
    """(2,): wall and processor time of a whole training."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    train(layout, steps, workdir, settings)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return np.array([wall, used])


def trained(workdir: pathlib.Path) -> dict[str, np.ndarray]:
    """Every array of the last checkpoint."""
    with Checkpoints(workdir / "checkpoints", read_only=True) as checkpoints:
        step = checkpoints.steps()[-1]
        items = {name: checkpoints.restore(step, name) for name in ("variables", "training")}
    return traverse_util.flatten_dict(items, sep="/")


def difference(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """The largest of any array, in the expected one's largest value."""
    assert found.keys() == expected.keys()
    floats = [name for name, x in expected.items() if np.issubdtype(x.dtype, np.floating)]
    return max(
        float(np.max(np.abs(found[n] - expected[n])) / max(np.max(np.abs(expected[n])), 1e-6))
        for n in floats
        if expected[n].size
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.devices", description=__doc__)
    parser.add_argument("--batch", type=int, default=4, help="eyes a step, over all devices")
    parser.add_argument("--small", action="store_true", help="tiny images, to see that it runs")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        manifest = phantom(folder / "phantom")
        settings = (f"--manifest={manifest}", f"--batch_size={args.batch}")
        settings += SMALL if args.small else ()
        print(f"{'':26} {'s a step':>9} {'cpu s':>7} {'difference':>11}")
        arrays: list[dict[str, np.ndarray]] = []  # of each layout
        for number, layout in enumerate(LAYOUTS):
            train(layout, SHORT, folder / f"warm{number}", settings)  # compiles, prepares
            long = seconds(layout, LONG, folder / f"long{number}", settings)
            short = seconds(layout, SHORT, folder / f"short{number}", settings)
            wall, used = (long - short) / (LONG - SHORT)
            arrays.append(trained(folder / f"long{number}"))
            apart = difference(arrays[-1], arrays[0])
            print(f"{layout!s:26} {wall:9.3f} {used:7.3f} {apart:11.1e}", flush=True)


if __name__ == "__main__":
    main()

"""Times implementations in turn: compare, warm up, A B A B, memory, ceiling; a row for each."""

import contextlib
import tempfile
import time
from collections.abc import Callable
from typing import Any

from benchmarks.speed.task import Task, spread
from benchmarks.speed.worker import Worker

WARM_UP = 2  # calls that are not counted, beside the one whose results are compared
PAUSE = 0.02  # seconds between turns: OpenMP's threads keep a core busy for a while when done

# Largest error of a twin against ours, relative, by precision.
TOLERANCES = {"float32": 1e-3, "tf32": 1e-2, "bfloat16": 1e-1}
# Of gradients: behind a ReLU that changes sides, rounding becomes a gradient there or not. Ours of
# SEMT's step move by 3e-3 where its first kernel is scaled by 1 + 2e-7.
GRADIENT_TOLERANCES = TOLERANCES | {"float32": 1e-2}
# Of a U-Net on an EfficientNet-Lite, with batch norms and ReLU6 in all of its fifty layers, ours move
# by 5e-3 where the first kernel is scaled so, and each layer rounds.
MODEL_TOLERANCES = {"unet": GRADIENT_TOLERANCES | {"float32": 5e-2}}


class Disagreement(Exception):
    """A twin computes something else; nothing was timed."""


def measure(
    task: Task, impls: list[str], repeats: int, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Rows of one task, ours first; keys as in report.py.

    Args:
      task: what is timed.
      impls: of worker.IMPLEMENTATIONS, "jax" first.
      repeats: timed calls of each.
      say: called with lines of progress.

    Raises:
      Disagreement: an output of a twin is further from ours than TOLERANCES.
      WorkerError: an implementation failed.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        workers, about = [], {}
        for impl in impls:
            begun = time.perf_counter()
            worker = Worker(impl, task, folder)
            stack.callback(worker.close)
            workers.append(worker)
            about[impl] = worker.call("open")
            say(f"{impl} is ready after {time.perf_counter() - begun:.1f} s")
            check_errors(impl, about[impl]["errors"], task, say)
        seconds = take_turns(workers, repeats)
        peaks = {worker.impl: worker.call("peak") for worker in workers}
        ceiling = max(worker.call("ceiling") for worker in workers)
        flops = workers[0].call("flops")
    rows = []
    for impl in impls:
        times = spread(seconds[impl])
        rows.append({
            "device": about[impl]["device"],
            "versions": about[impl]["versions"],
            "impl": impl,
            **times,
            "peak_bytes": peaks[impl],
            "flops": flops,
            "ratio": spread(seconds["jax"])["median_s"] / times["median_s"],
            "ceiling_flops_per_s": ceiling,
            "errors": about[impl]["errors"],
            "memory_format": about[impl]["memory_format"],
        })  # fmt: skip
    return rows


def check_errors(
    impl: str, errors: dict[str, float], task: Task, say: Callable[[str], None]
) -> None:
    """Says how far a twin is from ours; raises Disagreement where that is too far."""
    if not errors:
        return
    limits = dict.fromkeys(errors, TOLERANCES[task.precision])
    if "gradient" in errors:
        of_model = MODEL_TOLERANCES.get(task.model, GRADIENT_TOLERANCES)
        limits["gradient"] = of_model[task.precision]
    listed = ", ".join(f"{name} {error:.1e}" for name, error in errors.items())
    say(f"{impl} against jax, relative: {listed}")
    if bad := [f"{n} (at most {limits[n]:g})" for n, e in errors.items() if not e <= limits[n]]:
        raise Disagreement(f"{impl} and jax differ too much in {', '.join(bad)}")


def take_turns(workers: list[Worker], repeats: int) -> dict[str, list[float]]:
    """Seconds of each call, by implementation; every round calls each once."""
    seconds: dict[str, list[float]] = {worker.impl: [] for worker in workers}
    for number in range(WARM_UP + repeats):
        for worker in workers:
            taken = worker.call("run")
            if number >= WARM_UP:
                seconds[worker.impl].append(taken)
            time.sleep(PAUSE)
    return seconds

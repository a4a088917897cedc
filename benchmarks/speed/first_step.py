"""From the start of a process to the end of its first train step, with and without a cache.

`python -m benchmarks.speed.first_step` is that process: it reads a task from stdin as JSON, and
answers with one line of JSON when the step is done.
"""

import dataclasses
import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from benchmarks.speed.machine import ROOT, peak_resident, processor
from benchmarks.speed.side import side_of, started
from benchmarks.speed.task import Task, spread

CACHES = ("cold", "warm")


def first_steps(
    task: Task, impls: list[str], repeats: int, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Rows by implementation and state of its compilation cache; keys as in report.py.

    Raises:
      RuntimeError: a process failed.
    """
    taken: dict[tuple[str, str], list[float]] = {}
    about: dict[tuple[str, str], dict[str, Any]] = {}
    for _ in range(repeats):
        for impl in impls:
            with tempfile.TemporaryDirectory() as folder:
                for cache in CACHES:
                    seconds, told = _one(task, impl, folder)
                    taken.setdefault((impl, cache), []).append(seconds)
                    about[impl, cache] = told
                    say(f"{impl}, {cache} cache: {seconds:.1f} s")
    rows = []
    for (impl, cache), seconds in taken.items():
        times = spread(seconds)
        ratio = spread(taken["jax", cache])["median_s"] / times["median_s"]
        rows.append(
            {"impl": impl, "cache": cache, **about[impl, cache], **times, "flops": None}
            | {"ratio": ratio}
        )
    return rows


def _one(task: Task, impl: str, folder: str) -> tuple[float, dict[str, Any]]:
    """Seconds until a process says that its step is done, and what it says of itself."""
    command = [sys.executable, "-m", "benchmarks.speed.first_step", impl, folder]
    environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": folder}
    paths = [str(ROOT), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    begun = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdin.write(json.dumps(dataclasses.asdict(task)))
        process.stdin.close()
        line = process.stdout.readline()
        seconds = time.perf_counter() - begun
    if process.returncode or not line:
        raise RuntimeError(f"{impl}: the first step failed, see above")
    return seconds, json.loads(line)


def main() -> None:
    """The process that is timed."""
    impl, folder = sys.argv[1:]
    task = Task(**json.load(sys.stdin))
    runtime, side = started(impl, task), side_of(impl)
    if side == "jax":
        from imo_jax.switches import keep_compiled  # imports JAX

        keep_compiled(pathlib.Path(folder))
    cases = importlib.import_module(f"benchmarks.speed.{side}_cases")
    case = cases.case_of(task) if side == "jax" else cases.case_of(task, {}, impl != "torch")
    case.run()
    told = {
        "device": runtime.accelerator() or processor(),
        "versions": runtime.versions(),
        "peak_bytes": runtime.peak_bytes() or peak_resident(),
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()

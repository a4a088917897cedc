"""One implementation in a process of its own, told what to do by the process that keeps time."""

import importlib
import multiprocessing
import os
import pathlib
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.speed.machine import peak_resident, processor
from benchmarks.speed.side import side_of, started
from benchmarks.speed.task import Task
from imo_jax.allocator import give_back_unused

IMPLEMENTATIONS = ("jax", "torch", "torch_compile")
GIVEN, EXPECTED = "given.npz", "expected.npz"  # from our side to its peers
MATMUL_SIDES = {"cpu": 2048, "accelerator": 8192}
MATMUL_REPEATS = 8


class WorkerError(Exception):
    """An implementation failed; the text is its traceback."""


class Session:
    """What a worker does; lives in the worker's process."""

    def __init__(self, impl: str, task: Task, folder: str) -> None:
        # The implementations share a GPU; JAX would take three quarters of it for itself.
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        self._impl, self._task, self._folder = impl, task, pathlib.Path(folder)
        self._runtime = started(impl, task)
        self._cases = importlib.import_module(f"benchmarks.speed.{side_of(impl)}_cases")
        self._case: Any = None

    def open(self) -> dict[str, Any]:
        """Builds the case. Our side writes down what its peers start from and must reach."""
        if self._impl == "jax":
            self._case = self._cases.case_of(self._task)
            np.savez(self._folder / GIVEN, **self._case.for_peer())
            np.savez(self._folder / EXPECTED, **self._case.first())
            errors = {}
        else:
            given, expected = (dict(np.load(self._folder / n)) for n in (GIVEN, EXPECTED))
            compiled = self._impl == "torch_compile"
            self._case = self._cases.case_of(self._task, given, compiled)
            errors = self._case.compare(expected)
        give_back_unused()  # as the train step does when it is compiled
        return {
            "device": self._runtime.accelerator() or processor(),
            "versions": self._runtime.versions(),
            "errors": errors,
            "memory_format": getattr(self._case, "memory_format", ""),
        }

    def run(self) -> float:
        """Seconds of one call."""
        begun = time.perf_counter()
        self._case.run()
        return time.perf_counter() - begun

    def peak(self) -> int | None:
        """Peak memory so far in bytes: the accelerator's, else that of the process."""
        return self._runtime.peak_bytes() or peak_resident()

    def ceiling(self) -> float:
        """Operations a second of the fastest of some matrix products."""
        kind = "accelerator" if self._runtime.accelerator() else "cpu"
        side = MATMUL_SIDES[kind]
        product = self._runtime.matmul(side, self._task.precision)
        product()
        seconds = []
        for _ in range(MATMUL_REPEATS):
            begun = time.perf_counter()
            product()
            seconds.append(time.perf_counter() - begun)
        return 2.0 * side**3 / min(seconds)

    def flops(self) -> float:
        return self._case.flops()


def serve(connection: Connection, impl: str, task: Task, folder: str) -> None:
    """Answers (method, arguments) by ("done", result) or ("failed", traceback); None ends it."""
    try:
        session = Session(impl, task, folder)
        connection.send(("done", None))
        while (call := connection.recv()) is not None:
            connection.send(("done", getattr(session, call)()))
    except Exception:  # noqa: BLE001 (whatever it is, the other process tells of it)
        connection.send(("failed", traceback.format_exc()))


class Worker:
    """A Session in another process: its methods by `call`."""

    def __init__(self, impl: str, task: Task, folder: str) -> None:
        self.impl = impl
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=serve, args=(other, impl, task, folder), daemon=True)
        self._process.start()
        other.close()
        self._answer()

    def call(self, method: str) -> Any:
        """Result of a method of Session.

        Raises:
          WorkerError: it failed, or its process died.
        """
        self._connection.send(method)
        return self._answer()

    def _answer(self) -> Any:
        try:
            state, result = self._connection.recv()
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            raise WorkerError(f"{self.impl}: the process ended with code {code}") from None
        if state == "failed":
            raise WorkerError(f"{self.impl}: {result}")
        return result

    def close(self) -> None:
        """Ends the process."""
        if self._process.is_alive():
            self._connection.send(None)
        self._process.join()
        self._connection.close()

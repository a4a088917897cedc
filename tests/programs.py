"""Programs run as forks of one process that has their libraries: seconds of imports once a session.

A run has its own process, command line, environment and exit code, as `python -m` gives it.
"""

import functools
import gc
import multiprocessing
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[1]

DEVICES = "--xla_force_host_platform_device_count"

# All that programs share, the quiet runtime first; not the programs, whose flags are their own.
SHARED = ("experiments.runtime", "experiments.eyes", "experiments.screening.run_eval",
          "experiments.comparison.finished", "tensorflow_datasets")  # fmt: skip


def environment(devices: int = 1, **more: str) -> dict[str, str]:
    """Of a program's process: so many CPU devices, one as a user has it, and `more` variables."""
    given = os.environ.get("XLA_FLAGS", "").split()
    kept = [flag for flag in given if not flag.startswith(DEVICES)]
    return os.environ | {
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": " ".join([*kept, f"{DEVICES}={devices}"]),
        **more,
    }


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    timeout: float,
    compiles_quickly: bool = False,
) -> subprocess.CompletedProcess:
    """Runs `arguments`, [python, -m, module, ...], to the end; stdout and stderr as text.

    With `compiles_quickly` a depthwise convolution is one operation, not 49: a third of the time of a
    whole run of a small IMO, whose answers differ by rounding.

    What libraries read of the environment when they are imported (JAX_*) is that of `environment()`.

    Raises:
      subprocess.TimeoutExpired: it took more than `timeout` seconds, and was killed.
    """
    python, m, module, *_ = arguments
    assert (python, m) == (sys.executable, "-m"), arguments
    with tempfile.TemporaryDirectory() as folder:
        outputs = [os.path.join(folder, name) for name in ("stdout", "stderr")]
        process = _server().Process(
            target=_program,
            args=(module, arguments[3:], dict(environment), *outputs, compiles_quickly),
        )
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(arguments, timeout)
        said = [pathlib.Path(path).read_text() for path in outputs]
    return subprocess.CompletedProcess(arguments, process.exitcode, *said)


@functools.cache
def _server() -> multiprocessing.context.BaseContext:
    """What forks, in the environment of programs: libraries read it when they are imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(SHARED))
    with mock.patch.dict(os.environ, environment(), clear=True):
        forkserver.ensure_running()
    return context


def _program(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    stdout: str,
    stderr: str,
    compiles_quickly: bool,
) -> None:
    """In the fork: becomes `python -m module arguments`."""
    assert sys.modules.keys() >= set(SHARED)  # the server hides what it could not import
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((1, stdout), (2, stderr)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    gc.freeze()  # what is shared is never garbage; for the rest see conftest.py
    gc.set_threshold(50_000)
    if compiles_quickly:
        from imo_jax.layers import depthwise

        depthwise.depthwise_conv = depthwise.grouped_conv
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)

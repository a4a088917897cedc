"""How fast batches are made, as `python -m data_pipelines.load.speed` measures it by itself."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

from benchmarks.speed.machine import ROOT, processor
from benchmarks.speed.task import Task

EYES = 16
VOLUME = (64, 256, 128)  # depth, width, slices


def loader_rows(task: Task, repeats: int) -> list[dict[str, Any]]:
    """Rows of every way to make batches of `task.size` pixels with volumes; keys as in report.py.

    With one thread and with all; from prepared records, too, where TensorFlow is installed.

    The data set is a phantom made for it. median_s is of a batch; p10_s and p90_s are the fastest
    and the slowest of the repeats, which is what is told. `cpu_ms` is the processor time of an
    image over all threads, on which any number of cores can do no more than cores / cpu_ms.

    Raises:
      subprocess.CalledProcessError: one of the two programs failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder)
        _run(
            "data_pipelines.phantom", f"--out={out}", f"--eyes={EYES}", "--val_fraction=0",
            "--test_fraction=0",
        )  # fmt: skip
        text = _run(
            "data_pipelines.load.speed", f"--manifest={out / 'manifest.csv'}",
            *([] if importlib.util.find_spec("tensorflow") else ["--arrays_only"]),
            "--json", "--oct_shape", *map(str, VOLUME), f"--image_size={task.size}",
            f"--batch_size={task.batch}", f"--repeats={repeats}",
        )  # fmt: skip
    return [row_of(pipeline, task) for pipeline in json.loads(text)["pipelines"]]


def row_of(pipeline: dict[str, Any], task: Task) -> dict[str, Any]:
    """A row from one pipeline as the loader's own program tells of it."""
    return {
        "impl": "jax",
        "device": processor(),
        "versions": {"python": sys.version.split()[0]},
        "median_s": task.batch / pipeline["images_per_second"],
        "p10_s": task.batch / pipeline["most"],
        "p90_s": task.batch / pipeline["least"],
        "peak_bytes": None,
        "flops": None,
        **{key: pipeline[key] for key in ("store", "backend", "workers", "images_per_second", "cpu_ms")},
    }


def _run(module: str, *arguments: str) -> str:
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout

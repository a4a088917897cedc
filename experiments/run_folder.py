"""The folder of a run: where everything lies, written whole or not at all."""

import json
import os
import pathlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from imo_jax.predictor.calibration import FILE as CALIBRATION
from imo_jax.predictor.load import LOCATOR


@dataclass(frozen=True)
class RunFolder:
    """Paths inside one `--workdir`. Evaluation and prediction need nothing outside it."""

    root: pathlib.Path

    @property
    def config(self) -> pathlib.Path:
        return self.root / "config.json"

    @property
    def checkpoints(self) -> pathlib.Path:
        return self.root / "checkpoints"

    @property
    def locator(self) -> pathlib.Path:
        """The run that finds the disc, of a run in two stages."""
        return self.root / LOCATOR

    @property
    def squares(self) -> pathlib.Path:
        return self.root / "squares.csv"

    @property
    def baseline(self) -> pathlib.Path:
        return self.root / "baseline.npz"

    @property
    def calibration(self) -> pathlib.Path:
        return self.root / CALIBRATION

    @property
    def validation(self) -> pathlib.Path:
        return self.root / "validation.csv"

    @property
    def surrogates(self) -> pathlib.Path:
        return self.root / "surrogates.csv"

    @property
    def tensorboard(self) -> pathlib.Path:
        return self.root / "tensorboard"

    @property
    def evaluation(self) -> pathlib.Path:
        return self.root / "eval"

    @property
    def summary(self) -> pathlib.Path:
        """The scores of the evaluation: with them a run of a study is finished."""
        return self.evaluation / "summary.json"

    @property
    def predictions(self) -> pathlib.Path:
        return self.root / "predictions"

    def export(self, format: str, out: str | None) -> pathlib.Path:
        """Where a format's files go: `out`, or a folder of the run."""
        return pathlib.Path(out) if out else self.root / "export" / format


def read_json(path: pathlib.Path) -> Any:
    """Reads JSON; ValueError names the file where it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON ({error})") from error


@contextmanager
def replaced_folder(target: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields an empty folder that takes the place of `target` once the block ends well."""
    part = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)  # left by a killed run that had this process number
    part.mkdir(parents=True)
    try:
        yield part
        old = part.with_name(part.name + ".old")
        if target.exists():
            os.replace(target, old)
        os.replace(part, target)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise

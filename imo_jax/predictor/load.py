"""From a path to a predictor: one run folder, or several whose mean is taken."""

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from imo_jax.models.imo.config import IMOConfig
from imo_jax.predictor.eyes import EyePredictor
from imo_jax.predictor.locator import Locator
from imo_jax.predictor.run import Run, read_run, read_weights
from imo_jax.predictor.volume_batches import VolumeSettings
from imo_jax.predictor.volumes import VolumePredictor

LOCATOR = "locator"  # folder, in that of a run in two stages, of the run that finds the disc
OF_A_MEAN = "nothing: the errors of a mean of several runs were not measured"


def load(
    path: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    checkpoint: str = "best",
    samples: int | None = None,
    model: IMOConfig | None = None,
    image_size: int | None = None,
) -> EyePredictor | VolumePredictor:
    """A trained network, ready to predict; it predicts to the bit what `--mode=predict` writes.

        predictor = imo_jax.load("runs/imo")
        result = predictor.predict("eye.jpg", "eye_oct.npy")

        imo_jax.load("runs/semt").predict("eye_oct.npy", eye="OD")

    Needs no TensorFlow.

    Args:
      path: folder of a run of any kind of network; a file of the authors' released weights
        (`.pth`, `.safetensors`, `.npz`); or several (folds, seeds) whose networks and working
        squares are alike: their mean as one predictor.
      checkpoint: "best" by validation, or "last".
      samples: diffusion samples an eye; None = as the run evaluates.
      model, image_size: of a file of weights, what it does not tell, see `run.read_weights`.

    Raises:
      FileNotFoundError: there is no run, or no checkpoint.
      TypeError: something else than paths.
      ValueError: no run is named, a run that cannot be read, or runs that cannot be averaged, with the reasons.
    """
    paths = _paths(path)
    if (model or image_size) and any(pathlib.Path(given).is_dir() for given in paths):
        raise ValueError("model and image_size are for files of weights; a run knows its own")
    runs = [
        read_weights(given, model, image_size)
        if pathlib.Path(given).is_file()
        else read_run(given, checkpoint)
        for given in paths
    ]
    return predictor_of(runs, samples)


def _paths(given: Any) -> list[str | os.PathLike]:
    """The runs that are named, at least one."""
    several = isinstance(given, Iterable) and not isinstance(given, str | os.PathLike)
    paths = list(given) if several else [given]
    if wrong := [one for one in paths if not isinstance(one, str | os.PathLike)]:
        raise TypeError(f"a run is named by its folder, or several by a list; not by {wrong[0]!r}")
    if not all(map(os.fspath, paths)) or not paths:
        raise ValueError("no run is named")
    return paths


def predictor_of(runs: Sequence[Run], samples: int | None = None) -> EyePredictor | VolumePredictor:
    """The predictor of one run, or the mean of several; arguments and errors as `load`."""
    first = runs[0]
    for run in runs[1:]:
        require_alike(first, run)
    settings = first.settings
    networks = [run.variables for run in runs]
    title = ", ".join(f"{run.where} (step {run.step})" for run in runs)
    if isinstance(settings, VolumeSettings):
        threshold = first.threshold if len(runs) == 1 else None  # of no mean was one chosen
        return VolumePredictor(networks, settings, title, threshold)
    if samples is not None:
        if samples < 1:
            raise ValueError(f"samples={samples} must be at least 1")
        settings = dataclasses.replace(settings, samples=samples)
    calibration = first.calibration if len(runs) == 1 else OF_A_MEAN
    return EyePredictor(networks, settings, title, locator_of(runs), calibration)


def locator_of(runs: Sequence[Run]) -> Locator | None:
    """What finds the square that networks in two stages see; None of networks in one."""
    diameters = runs[0].settings.square_diameters
    if diameters is None:
        return None
    folders = [pathlib.Path(run.where) / LOCATOR for run in runs]
    return Locator(predictor_of([read_run(folder, "best") for folder in folders]), diameters)


def require_alike(first: Run, other: Run) -> None:
    """Raises ValueError with what differs between two runs that are to be averaged."""
    parts = [(first.settings, other.settings), (first.settings.model, other.settings.model)]
    if type(parts[1][0]) is not type(parts[1][1]):
        raise ValueError(f"{first.where} and {other.where} hold networks of different kinds")
    lines = [
        f"{field.name}: {getattr(one, field.name)!r} and {getattr(two, field.name)!r}"
        for one, two in parts
        for field in dataclasses.fields(one)
        if field.name != "model" and getattr(one, field.name) != getattr(two, field.name)
    ]
    if lines:
        raise ValueError(
            f"{first.where} and {other.where} cannot be averaged, they differ in\n  "
            + "\n  ".join(lines)
        )

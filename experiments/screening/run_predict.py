"""Prediction: one OCT volume from its file, or every volume of a manifest. Needs no TensorFlow."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from data_pipelines.bad_file import BadFile
from data_pipelines.load.screening_stores import ScreeningArrayStore, ScreeningStore
from data_pipelines.manifest.screening import ScreeningManifest, ScreeningVolume
from experiments import validation_log
from experiments.runtime import UserError, say
from experiments.screening.drawing import volume_pictures
from experiments.screening.prediction import VolumePredictions, predict_volumes
from experiments.screening.reading import checked_manifest
from experiments.screening.trained_run import TrainedScreening
from imo_jax import visual_field
from imo_jax.atomic_files import write_json, write_picture

SPLIT = ""  # volumes to predict belong to none
SIDES = ("OD", "OS")


def run_predict(
    run: TrainedScreening,
    *,
    volume: str | None,
    eye: str | None,
    manifest: str | None,
    out: str | None,
) -> list[dict[str, Any]]:
    """Predicts volumes and writes for each `<id>.json`, `<id>_en_face.png` and, of 2-D
    methods, `<id>_cam.png`.

    Args:
      run: from restore_screening.
      volume: file or folder of one volume.
      eye: "OD" or "OS", the side of that eye; needed where the run turned right eyes into left.
      manifest: or a screening manifest, whose splits and labels are not looked at.
      out: folder to write to; None = `predictions` in the run's folder.

    Returns:
      What the JSON files hold, in order.

    Raises:
      UserError: neither or both of volume and manifest, or input that cannot be read.
    """
    folder = pathlib.Path(out) if out else run.folder.predictions
    results = []
    threshold = validation_threshold(run)
    for asked in asked_volumes(run, volume, eye, manifest):
        store = store_of(run, asked)
        said = predict_volumes(run.variables, store, SPLIT, run.config)
        folder.mkdir(parents=True, exist_ok=True)
        for name, picture in volume_pictures(run, store, said).items():
            write_picture(folder / f"{asked.id}_{name}.png", picture)
        results.append(volume_json(asked, said, threshold))
        write_json(folder / f"{asked.id}.json", results[-1])
        say(one_line(results[-1]))
    say(f"written to {folder}")
    return results


def asked_volumes(
    run: TrainedScreening, volume: str | None, eye: str | None, manifest: str | None
) -> Sequence[ScreeningVolume]:
    """The volumes that the user names, without their split."""
    if (volume is None) == (manifest is None):
        raise UserError("give either --oct=VOLUME or --manifest=FILE")
    if manifest is not None:
        found = checked_manifest(
            manifest, run.config.data.data_root, ("predict",), surrogates=False
        )
        return [dataclasses.replace(v, split=SPLIT) for v in found.volumes]
    path = pathlib.Path(volume)
    if not path.exists():
        raise UserError(f"{path}: no such file")
    if eye is None and run.config.augment.right_as_left:
        raise UserError("this run mirrors right eyes: say --eye=OD (right) or --eye=OS (left)")
    return [
        ScreeningVolume(path.stem, path.stem, eye or "OS", "1", SPLIT, path.absolute(), glaucoma=0)
    ]


def store_of(run: TrainedScreening, volume: ScreeningVolume) -> ScreeningStore:
    """A store of this volume alone."""
    alone = ScreeningManifest(volume.oct, volume.oct.parent, (volume,))
    try:
        return ScreeningArrayStore.from_manifest(alone, *run.config.grid, splits=(SPLIT,))
    except BadFile as error:
        raise UserError(str(error)) from error


def validation_threshold(run: TrainedScreening) -> float | None:
    """The threshold that validation chose at the checkpoint's step, by F1; None without one."""
    if not run.folder.validation.exists():
        return None
    log = validation_log.read(run.folder.validation)
    found = log.loc[log["step"] == run.step, "image_threshold"]
    return float(found.iloc[0]) if len(found) else None


def volume_json(
    volume: ScreeningVolume, said: VolumePredictions, threshold: float | None
) -> dict[str, Any]:
    """What is said of one volume."""
    probability = float(said.probability[0])
    result: dict[str, Any] = {
        "id": volume.id,
        "glaucoma_probability": probability,
        "glaucoma": probability >= 0.5,
        "b_scans": int(said.scans[0]),
    }
    if threshold is not None:
        result |= {
            "threshold_of_validation": threshold,
            "glaucoma_at_that_threshold": probability >= threshold,
        }
    if said.vf is not None:
        values = np.round(said.vf[0], 3).tolist()
        result["visual_field"] = {
            name: {"value": value, "unit": visual_field.UNITS[name]}
            for name, value in zip(visual_field.INDICES, values, strict=True)
        }
    return result


def one_line(result: dict[str, Any]) -> str:
    """A volume's result as a person would say it."""
    parts = [f"probability of glaucoma {result['glaucoma_probability']:.2f}"]
    for name, value in result.get("visual_field", {}).items():
        parts.append(f"{name.upper()} {value['value']:.1f} {value['unit']}")
    return f"{result['id']}: {', '.join(parts)} ({result['b_scans']} B-scans)"

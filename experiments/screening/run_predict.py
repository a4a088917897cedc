"""Prediction: one OCT volume from its file, or every volume of a manifest. Needs no TensorFlow."""

import pathlib
from typing import Any

from data_pipelines.bad_file import BadFile
from experiments.runtime import UserError, say
from experiments.screening.reading import checked_manifest
from experiments.screening.trained_run import TrainedScreening
from imo_jax.predictor.inputs import BadInput


def run_predict(
    run: TrainedScreening,
    *,
    volume: str | None,
    eye: str | None,
    manifest: str | None,
    out: str | None,
) -> list[dict[str, Any]]:
    """Predicts volumes and writes the files of each (`imo_jax.predictor.VolumeResult.save`).

    Args:
      run: from restore_screening.
      volume: file or folder of one volume.
      eye: "OD" or "OS", the side of that eye; needed where the run turned right eyes into left.
      manifest: or a screening manifest, whose splits and labels are not looked at.
      out: folder to write to; None = `predictions` in the run's folder.

    Returns:
      What the JSON files hold, in order.

    Raises:
      UserError: neither or both of volume and manifest, or input that cannot be read, or a folder that cannot be written.
    """
    folder = pathlib.Path(out) if out else run.folder.predictions
    ids, scans, sides = asked_volumes(run, volume, eye, manifest)
    results = []
    try:
        for result in run.predictor().stream(scans, sides, ids=ids):
            results.append(result.save(folder))
            say(str(result))
    except (BadFile, BadInput) as error:
        raise UserError(str(error)) from error
    except OSError as error:  # of the reading, BadFile tells
        raise UserError(f"{folder} cannot be written: {error}") from error
    say(f"written to {folder}")
    return results


def asked_volumes(
    run: TrainedScreening, volume: str | None, eye: str | None, manifest: str | None
) -> tuple[list[str] | None, list[pathlib.Path], list[str | None]]:
    """Ids (None = the files' names), files and sides of the volumes that the user names."""
    if (volume is None) == (manifest is None):
        raise UserError("give either --oct=VOLUME or --manifest=FILE")
    if volume is not None:
        if eye is None and run.config.augment.right_as_left:
            raise UserError("this run mirrors right eyes: say --eye=OD (right) or --eye=OS (left)")
        return None, [pathlib.Path(volume)], [eye]
    data_root = run.config.data.data_root
    volumes = checked_manifest(manifest, data_root, ("predict",), surrogates=False).volumes
    return [v.id for v in volumes], [v.oct for v in volumes], [v.eye for v in volumes]

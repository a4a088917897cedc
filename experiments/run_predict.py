"""Prediction: one eye from its files, or every eye of a manifest. Needs no TensorFlow."""

import pathlib
from typing import Any

from data_pipelines.bad_file import BadFile
from experiments.reading import checked_manifest
from experiments.runtime import UserError, say
from experiments.trained_run import TrainedRun
from imo_jax.predictor.inputs import BadInput

PathOrNone = pathlib.Path | None


def run_predict(
    run: TrainedRun,
    *,
    fundus: str | None,
    volume: str | None,
    manifest: str | None,
    out: str | None,
) -> list[dict[str, Any]]:
    """Predicts eyes and writes the files of each (see `imo_jax.predictor.EyeResult.save`).

    Args:
      run: from restore_run.
      fundus, volume: files of one eye; the OCT volume may be None.
      manifest: or a manifest, whose splits and labels are not looked at.
      out: folder to write to; None = `predictions` in the run's folder.

    Returns:
      What the JSON files hold, in order.

    Raises:
      UserError: neither or both of fundus and manifest, or input that cannot be read, or a folder that cannot be written.
    """
    folder = pathlib.Path(out) if out else run.folder.predictions
    ids, photographs, scans = asked_eyes(run, fundus, volume, manifest)
    results = []
    try:
        for result in run.predictor().stream(photographs, scans, ids=ids):
            results.append(result.save(folder))
            say(str(result))
    except (BadFile, BadInput) as error:
        raise UserError(str(error)) from error
    except OSError as error:  # of the reading, BadFile tells
        raise UserError(f"{folder} cannot be written: {error}") from error
    say(f"written to {folder}")
    return results


def asked_eyes(
    run: TrainedRun, fundus: str | None, volume: str | None, manifest: str | None
) -> tuple[list[str] | None, list[pathlib.Path], list[PathOrNone]]:
    """Ids (None = the files' names), photographs and volumes of the eyes that the user names."""
    if (fundus is None) == (manifest is None):
        raise UserError("give either --fundus=PHOTOGRAPH (with --oct=VOLUME if there is one) or "
                        "--manifest=FILE")  # fmt: skip
    if volume is not None and fundus is None:
        raise UserError("--oct belongs to --fundus; a manifest names its own volumes")
    if fundus is not None:
        return None, [pathlib.Path(fundus)], [None if volume is None else pathlib.Path(volume)]
    data_root = run.config.data.data_root
    eyes = checked_manifest(manifest, data_root, ("predict",), run.config.model).eyes
    scans = [eye.oct if run.config.model.use_oct else None for eye in eyes]
    return [eye.id for eye in eyes], [eye.fundus for eye in eyes], scans

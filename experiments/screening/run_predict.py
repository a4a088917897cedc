"""Prediction: one OCT volume, those of a folder, or every one of a manifest. Needs no TensorFlow."""

import pathlib
from dataclasses import dataclass

from data_pipelines.asked_files import (
    NothingAsked,
    asked_volumes,
    distinct_names,
    require_apart,
)
from data_pipelines.volume_form import VolumeForm
from experiments.predicting import Predicted, keep_all
from experiments.runtime import UserError, say
from experiments.saved_run import TrainedScreening
from experiments.screening.reading import checked_manifest
from imo_jax.predictor.inputs import formed
from imo_jax.predictor.table_rows import volume_row


@dataclass(frozen=True)
class AskedVolumes:
    """The volumes that the user names, in order.

    Attributes:
      ids: their names.
      scans: their files or folders.
      sides: "OD" or "OS", or None where it is not known and need not be.
      many: whether they are those of a folder, a pattern or a manifest.
      forms: what a manifest says of their axes and numbers; None = as the run says of all.
    """

    ids: list[str]
    scans: list[pathlib.Path]
    sides: list[str | None]
    many: bool
    forms: list[VolumeForm] | None = None


def run_predict(
    run: TrainedScreening,
    *,
    volume: str | None,
    eye: str | None,
    manifest: str | None,
    out: str | None,
) -> Predicted:
    """Predicts volumes and writes the files of each (`imo_jax.predictor.VolumeResult.save`).

    Of the volumes of a folder, a pattern or a manifest it writes `predictions.csv`, too; there a
    file that cannot be used is a row of its own and stops none of the others.

    Args:
      run: from restore_screening.
      volume: one volume (a file, or a folder of B-scans), a folder of volumes, or a pattern.
      eye: "OD" or "OS", the side of all those eyes; needed where the run turned right eyes into
        left.
      manifest: or a screening manifest, whose splits and labels are not looked at.
      out: folder to write to; None = `predictions` in the run's folder.

    Raises:
      UserError: neither or both of volume and manifest, no such file, a manifest or an only file
        that cannot be used, or a folder that cannot be written.
    """
    folder = pathlib.Path(out) if out else run.folder.predictions
    asked = asked_of(run, volume, eye, manifest, folder)
    results = run.predictor().stream(
        formed(asked.scans, asked.forms), asked.sides, ids=asked.ids, keep_going=asked.many
    )
    files = [{"file": str(scan)} for scan in asked.scans]
    return keep_all(results, files, folder, volume_row, many=asked.many)


def asked_of(
    run: TrainedScreening,
    volume: str | None,
    eye: str | None,
    manifest: str | None,
    folder: pathlib.Path,
) -> AskedVolumes:
    """The volumes that the user names, and that are not among the files of `folder`, to be written."""
    if (volume is None) == (manifest is None):
        raise UserError("give either --oct=VOLUME (or a folder of them) or --manifest=FILE")
    if volume is not None:
        if eye is None and run.config.augment.right_as_left:
            raise UserError(
                "this run mirrors right eyes: say --eye=OD (right) or --eye=OS (left); for both "
                "sides at once write a manifest"
            )
        try:
            asked = asked_volumes(volume, say)
            if asked.many:
                require_apart(folder, asked)
            names = distinct_names(asked)
        except NothingAsked as error:
            raise UserError(str(error)) from error
        return AskedVolumes(names, list(asked.files), [eye] * len(asked.files), asked.many)
    volumes = checked_manifest(run.config, ("predict",), manifest).volumes
    return AskedVolumes(
        [v.id for v in volumes],
        [v.oct for v in volumes],
        [v.eye for v in volumes],
        many=True,
        forms=[v.oct_form for v in volumes],
    )

"""Prediction: one eye, the eyes of a folder, or every eye of a manifest. Needs no TensorFlow."""

import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data_pipelines.asked_files import (
    NothingAsked,
    asked_photographs,
    distinct_names,
    require_apart,
    shortened,
    volumes_beside,
)
from data_pipelines.images import is_dicom
from data_pipelines.volume_form import VolumeForm
from experiments.predicting import Predicted, keep_all
from experiments.reading import checked_manifest
from experiments.runtime import UserError, say
from experiments.saved_run import TrainedRun
from imo_jax.predictor import EyeResult
from imo_jax.predictor.dicom_objects import require_highdicom, save_dicom
from imo_jax.predictor.inputs import formed
from imo_jax.predictor.table_rows import eye_row

PathOrNone = pathlib.Path | None


@dataclass(frozen=True)
class AskedEyes:
    """The eyes that the user names, in order.

    Attributes:
      ids: their names.
      photographs, scans: their files; None = no OCT volume.
      spacings: side of their pixels on the retina in mm; None = as a DICOM file tells.
      sides: "OD" or "OS"; None = as a DICOM file tells.
      many: whether they are those of a folder, a pattern or a manifest.
      forms: what a manifest says of the axes and numbers of volumes; None = as the run says of all.
    """

    ids: list[str]
    photographs: list[pathlib.Path]
    scans: list[PathOrNone]
    spacings: list[float | None]
    sides: list[str | None]
    many: bool
    forms: list[VolumeForm] | None = None


def run_predict(
    run: TrainedRun,
    *,
    fundus: str | None,
    volume: str | None,
    manifest: str | None,
    out: str | None,
    mm_per_pixel: float | None = None,
    eye: str | None = None,
    dicom: bool = False,
    dicom_identities: bool = False,
) -> Predicted:
    """Predicts eyes and writes the files of each (see `imo_jax.predictor.EyeResult.save`).

    Of the eyes of a folder, a pattern or a manifest it writes `predictions.csv`, too; there a file
    that cannot be used is a row of its own and stops none of the others.

    Args:
      run: from restore_run.
      fundus: a photograph, a folder of photographs, or a pattern such as 'eyes/*.jpg'.
      volume: the OCT volume of the photograph, or a folder or pattern of volumes that are named as
        the photographs are; None = there are none.
      manifest: or a manifest, whose splits and labels are not looked at.
      out: folder to write to; None = `predictions` in the run's folder.
      mm_per_pixel: side of a pixel of all photographs on the retina, but for those of which the
        manifest says it; None = as a DICOM file tells.
      eye: "OD" or "OS", the side of all photographs, likewise.
      dicom: also writes DICOM objects of DICOM photographs (`predictor.dicom_objects.save_dicom`).
      dicom_identities: they say whose they are.

    Raises:
      UserError: neither or both of fundus and manifest, no such file, a manifest or an only file
        that cannot be used, a folder that cannot be written; where DICOM objects are wanted, no
        highdicom or no DICOM photograph.
    """
    folder = pathlib.Path(out) if out else run.folder.predictions
    eyes = asked_eyes(run, fundus, volume, manifest, folder)
    if dicom:
        require_dicom(eyes.photographs)

    def objects(result: EyeResult, files: Mapping[str, str]) -> None:
        if dicom and is_dicom(files["file"]):
            save_dicom(result, files["file"], folder, identities=dicom_identities)

    results = run.predictor().stream(
        eyes.photographs,
        formed(eyes.scans, eyes.forms),
        ids=eyes.ids,
        mm_per_pixel=[mm_per_pixel if own is None else own for own in eyes.spacings],
        eye=[own or eye for own in eyes.sides],
        keep_going=eyes.many,
    )
    files = [
        {"file": str(photograph), "oct": str(scan or "")}
        for photograph, scan in zip(eyes.photographs, eyes.scans, strict=True)
    ]
    return keep_all(results, files, folder, eye_row, many=eyes.many, beside=objects)


def require_dicom(photographs: Sequence[pathlib.Path]) -> None:
    """Raises UserError where no DICOM objects can be written of any photograph."""
    try:
        require_highdicom()
    except ImportError as error:
        raise UserError(f"--dicom: {error}") from error
    others = [path.name for path in photographs if not is_dicom(path)]
    if len(others) == len(photographs):
        raise UserError("--dicom writes objects of DICOM photographs, and none of these is one: "
                        f"{shortened(others)}")  # fmt: skip
    if others:
        say(f"no DICOM objects of {len(others)} photographs that are none: {shortened(others)}")


def asked_eyes(
    run: TrainedRun,
    fundus: str | None,
    volume: str | None,
    manifest: str | None,
    folder: pathlib.Path,
) -> AskedEyes:
    """The eyes that the user names, and that are not among the files of `folder`, to be written."""
    if (fundus is None) == (manifest is None):
        raise UserError("give either --fundus=PHOTOGRAPH or a folder of them (with --oct=VOLUME or "
                        "a folder if there is one) or --manifest=FILE")  # fmt: skip
    if volume is not None and fundus is None:
        raise UserError("--oct belongs to --fundus; a manifest names its own volumes")
    if fundus is not None:
        try:
            asked = asked_photographs(fundus, say)
            if asked.many:
                require_apart(folder, asked)
            scans, names = volumes_beside(volume, asked, say), distinct_names(asked)
        except NothingAsked as error:
            raise UserError(str(error)) from error
        unknown = [None] * len(asked.files)
        return AskedEyes(names, list(asked.files), scans, unknown, unknown, asked.many)
    eyes = checked_manifest(run.config, ("predict",), manifest).eyes
    scans = [eye.oct if run.config.model.use_oct else None for eye in eyes]
    return AskedEyes(
        [eye.id for eye in eyes],
        [eye.fundus for eye in eyes],
        scans,
        [eye.mm_per_pixel for eye in eyes],
        [eye.eye for eye in eyes],
        many=True,
        forms=[eye.oct_form for eye in eyes],
    )

"""What is scored of a volume and of a case, and their rows of the CSV files of an evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imo_jax.visual_field import INDICES


@dataclass(frozen=True)
class VolumeRecord:
    """A prediction and what it is held against, of one volume ("image") or one case.

    Attributes:
      id: of the volume; of a case "patient/eye/visit".
      patient, eye, visit: from the manifest.
      glaucoma: 0 or 1; None where it is not known.
      probability: of glaucoma, the mean over what was looked at (a volume's B-scans, a case's
        volumes).
      vf_predicted: (3,) visual field in the order of INDICES, percent and dB; None of a network
        without it.
      vf_measured: (3,) likewise; NaN where not measured.
    """

    id: str
    patient: str
    eye: str
    visit: str
    glaucoma: int | None
    probability: float
    vf_predicted: np.ndarray | None
    vf_measured: np.ndarray


def cases(records: Sequence[VolumeRecord]) -> list[VolumeRecord]:
    """One record for each patient, eye and visit, in the order in which they first appear.

    Probabilities and predicted fields are means over the volumes of the visit, measured fields are
    means of those that there are.

    Raises:
      ValueError: volumes of one visit of different classes, or with and without a predicted field.
    """
    visits: dict[tuple[str, str, str], list[VolumeRecord]] = {}
    for record in records:
        visits.setdefault((record.patient, record.eye, record.visit), []).append(record)
    return [_case("/".join(key), volumes) for key, volumes in visits.items()]


def _case(name: str, volumes: list[VolumeRecord]) -> VolumeRecord:
    first = volumes[0]
    if len({volume.glaucoma for volume in volumes}) > 1:
        raise ValueError(f"the volumes of {name} are not all of the same class")
    predicted = [v.vf_predicted for v in volumes if v.vf_predicted is not None]
    if len(predicted) not in (0, len(volumes)):
        raise ValueError(f"some of the volumes of {name} have a predicted visual field, some not")
    return VolumeRecord(
        id=name,
        patient=first.patient,
        eye=first.eye,
        visit=first.visit,
        glaucoma=first.glaucoma,
        probability=float(np.mean([volume.probability for volume in volumes])),
        vf_predicted=np.mean(predicted, axis=0) if predicted else None,
        vf_measured=_mean_of_known(np.stack([volume.vf_measured for volume in volumes])),
    )


def _mean_of_known(fields: np.ndarray) -> np.ndarray:
    """(n, 3) -> (3,), NaN where none is known."""
    known = np.isfinite(fields)
    count = known.sum(axis=0)
    return np.where(
        count > 0, np.where(known, fields, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan
    )


def record_row(record: VolumeRecord) -> dict[str, str | int | float | None]:
    """The record as one row of a CSV; None (an empty cell) where a value is not known.

    Columns, the same for every record: id, patient, eye, visit, glaucoma, probability, and
    {vfi,md,psd}_{true,pred} in percent and dB.
    """
    row: dict[str, Any] = {
        name: getattr(record, name)
        for name in ("id", "patient", "eye", "visit", "glaucoma", "probability")
    }
    for j, name in enumerate(INDICES):
        measured = float(record.vf_measured[j])
        row[f"{name}_true"] = measured if np.isfinite(measured) else None
        predicted = record.vf_predicted
        row[f"{name}_pred"] = None if predicted is None else float(predicted[j])
    return row


def record_of(row: Mapping[str, str]) -> VolumeRecord:
    """The record behind the texts of a CSV's row: the inverse of `record_row`."""
    measured, predicted = (
        np.array([float(row[f"{name}_{kind}"] or "nan") for name in INDICES])
        for kind in ("true", "pred")
    )
    return VolumeRecord(
        **{name: row[name] for name in ("id", "patient", "eye", "visit")},
        glaucoma=int(row["glaucoma"]) if row["glaucoma"] else None,
        probability=float(row["probability"]),
        vf_predicted=None if np.isnan(predicted).all() else predicted,
        vf_measured=measured,
    )

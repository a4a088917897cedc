"""The pictures of an evaluation on volumes: its scores, and where the network saw evidence."""

from collections.abc import Callable, Sequence

import numpy as np

from imo_jax.labels import SCREENING_NAMES
from imo_jax.metrics.screening import VolumeRecord
from imo_jax.metrics.screening_summary import (
    LEVELS,
    Thresholds,
    probability_bins,
    scores_and_classes,
)
from imo_jax.predictor.volume_result import Evidence
from imo_jax.visualisation.cam_panels import ScanRow, scan_panel, volume_panel
from imo_jax.visualisation.plots import reliability_diagram
from imo_jax.visualisation.screening_plots import roc_plot, visual_field_scatter


def volume_plots(
    records: Sequence[VolumeRecord], thresholds: Thresholds | None, name: str
) -> dict[str, np.ndarray]:
    """What an evaluation draws of its scores.

    Args:
      records: of the volumes.
      thresholds: that validation chose, of each level.
      name: of the network.

    Returns:
      "roc.png", "calibration.png" and, where they are regressed, "visual_fields.png":
      (height, width, 3) uint8.
    """
    by_level = {level: group(records) for level, group in LEVELS.items()}
    scores = {level: scores_and_classes(group) for level, group in by_level.items()}
    bins = {level: probability_bins(group) for level, group in by_level.items()}
    pictures = {
        "roc.png": roc_plot(scores, thresholds, title=name),
        "calibration.png": reliability_diagram(bins, title=name),
    }
    if any(record.vf_predicted is not None for record in records):
        pictures["visual_fields.png"] = visual_field_scatter(
            np.stack([record.vf_measured for record in records]),
            np.stack([record.vf_predicted for record in records]),
            np.array([record.glaucoma for record in records]),
        )
    return pictures


def evidence_plots(
    records: Sequence[VolumeRecord],
    evidence_of: Callable[[int], Evidence],
    number: int,
    name: str,
) -> dict[str, np.ndarray]:
    """Where the network saw evidence: the first volumes of each class, one a patient.

    Args:
      records: of the volumes.
      evidence_of: position of a record -> what was seen of its volume.
      number: volumes of each class at most.
      name: of the network.

    Returns:
      An en-face map "<id>.png" of each and, of a network that sees B-scans, "b_scans.png" with the
      clearest one of each (Wang et al. 2019, figure 2): (height, width, 3) uint8.
    """
    pictures, lines = {}, []
    for label, class_name in enumerate(SCREENING_NAMES):
        rows = first_of_class(records, label, number)
        seen = [evidence_of(row) for row in rows]
        for row, evidence in zip(rows, seen, strict=True):
            record = records[row]
            title = f"{record.id} ({class_name}): probability of glaucoma {record.probability:.2f}"
            pictures[f"{record.id}.png"] = volume_panel(evidence.images, evidence.cams, title=title)
        if seen and seen[0].probabilities is not None:
            lines.append(scan_row(class_name, seen))
    if len({len(line.scans) for line in lines}) == 1:
        title = f"{name}: the B-scan of each volume with the strongest evidence"
        pictures["b_scans.png"] = scan_panel(lines[::-1], title=title)
    return pictures


def first_of_class(records: Sequence[VolumeRecord], label: int, number: int) -> list[int]:
    """Positions of the first volumes of a class, each of another patient."""
    by_patient: dict[str, int] = {}
    for row, record in enumerate(records):
        if record.glaucoma == label:
            by_patient.setdefault(record.patient, row)
    return list(by_patient.values())[:number]


def scan_row(name: str, seen: Sequence[Evidence]) -> ScanRow:
    """The clearest B-scan of each of some volumes."""
    pairs = [(evidence, evidence.clearest) for evidence in seen]
    return ScanRow(
        name,
        np.stack([evidence.images[i] for evidence, i in pairs]),
        np.stack([evidence.cams[i] for evidence, i in pairs]),
        np.array([evidence.probabilities[i] for evidence, i in pairs]),
    )

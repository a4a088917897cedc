"""Pictures of a screening run: plots of the scores, and where the network sees evidence."""

import pathlib
from typing import Any

import numpy as np

from data_pipelines.load.screening_stores import ScreeningStore
from experiments.saved_run import TrainedScreening
from experiments.screening.prediction import Seen
from imo_jax.atomic_files import write_picture
from imo_jax.labels import SCREENING_NAMES
from imo_jax.metrics.screening import VolumeRecord
from imo_jax.metrics.screening_summary import (
    LEVELS,
    Thresholds,
    probability_bins,
    scores_and_classes,
)
from imo_jax.predictor.volume_result import Evidence
from imo_jax.report.volume_cards import common_limits, volume_card
from imo_jax.visualisation.cam_panels import ScanRow, scan_panel, volume_panel
from imo_jax.visualisation.plots import reliability_diagram
from imo_jax.visualisation.screening_plots import roc_plot, visual_field_scatter


def draw_plots(
    folder: pathlib.Path, found: list[VolumeRecord], thresholds: Thresholds | None, name: str
) -> None:
    """Writes roc.png, calibration.png and, where they are regressed, visual_fields.png."""
    by_level = {level: group(found) for level, group in LEVELS.items()}
    scores = {level: scores_and_classes(group) for level, group in by_level.items()}
    write_picture(folder / "roc.png", roc_plot(scores, thresholds, title=name))
    bins = {level: probability_bins(group) for level, group in by_level.items()}
    write_picture(folder / "calibration.png", reliability_diagram(bins, title=name))
    if any(record.vf_predicted is not None for record in found):
        fields = visual_field_scatter(
            np.stack([record.vf_measured for record in found]),
            np.stack([record.vf_predicted for record in found]),
            np.array([record.glaucoma for record in found]),
        )
        write_picture(folder / "visual_fields.png", fields)


def evidence_of(store: ScreeningStore, split: str, row: int, seen: Seen) -> Evidence:
    """What the network saw of one volume of a store, and where it saw evidence."""
    if store.grid.cube_shape is not None:
        return Evidence(store.cube(split, row), seen.maps, None)
    images = np.stack([store.scan(split, row, number) for number in seen.scans])
    return Evidence(images, seen.maps, np.array(seen.probabilities))


def draw_cams(
    folder: pathlib.Path,
    run: TrainedScreening,
    store: ScreeningStore,
    split: str,
    found: list[VolumeRecord],
    kept: list[Seen],
) -> None:
    """Writes b_scans.png (paper, figure 2) and an en-face map of each volume shown on it.

    The volumes are the first of each class, one a patient, as many as the settings want.
    """
    lines = []
    for label, name in enumerate(SCREENING_NAMES):
        rows = first_of_class(found, label, run.config.evaluation.overlays)
        seen = [evidence_of(store, split, row, kept[row]) for row in rows]
        for row, evidence in zip(rows, seen, strict=True):
            record = found[row]
            title = f"{record.id} ({name}): probability of glaucoma {record.probability:.2f}"
            panel = volume_panel(evidence.images, evidence.cams, title=title)
            write_picture(folder / f"{record.id}.png", panel)
        if seen and seen[0].probabilities is not None:
            lines.append(scan_row(name, seen))
    if len({len(line.scans) for line in lines}) == 1:
        title = f"{run.config.recipe.title}: the B-scan of each volume with the strongest evidence"
        write_picture(folder / "b_scans.png", scan_panel(lines[::-1], title=title))


def cards_of(
    store: ScreeningStore, split: str, found: list[VolumeRecord], kept: list[Seen]
) -> list[dict[str, Any]]:
    """The cards of a report: each volume of a split with its activation maps."""
    limits = common_limits([seen.maps for seen in kept])
    return [
        volume_card(record, evidence_of(store, split, row, seen), limits)
        for row, (record, seen) in enumerate(zip(found, kept, strict=True))
    ]


def first_of_class(found: list[VolumeRecord], label: int, number: int) -> list[int]:
    """Positions of the first volumes of a class, each of another patient."""
    by_patient: dict[str, int] = {}
    for row, record in enumerate(found):
        if record.glaucoma == label:
            by_patient.setdefault(record.patient, row)
    return list(by_patient.values())[:number]


def scan_row(name: str, seen: list[Evidence]) -> ScanRow:
    """The clearest B-scan of each of some volumes."""
    best = [evidence.clearest for evidence in seen]
    pairs = list(zip(seen, best, strict=True))
    return ScanRow(
        name,
        np.stack([evidence.images[i] for evidence, i in pairs]),
        np.stack([evidence.cams[i] for evidence, i in pairs]),
        np.array([evidence.probabilities[i] for evidence, i in pairs]),
    )

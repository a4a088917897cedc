"""The pictures of an evaluation on eyes, as the labels allow."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imo_jax.metrics.imo_eye import EyeRecord
from imo_jax.metrics.imo_summary import (
    grade_bins,
    grade_confusion,
    grade_names_of,
    has_mask,
    pixel_bins,
)
from imo_jax.visualisation import plots

DRAWN = ("disc_dice", "cup_dice", "micro_mdice", "qwk", "accuracy")


def eye_plots(
    records: Sequence[EyeRecord], methods: Mapping[str, Mapping[str, Any]]
) -> dict[str, np.ndarray]:
    """What an evaluation draws of its scores.

    Args:
      records: of the evaluated network.
      methods: name -> summary, the network first, then baseline and controls.

    Returns:
      Of "confusion.png", "vcdr.png", "reliability.png" and "scores.png", those for which there are
      labels: (height, width, 3) uint8.
    """
    pictures, bins = {}, {}
    confusion = grade_confusion(records)
    if confusion.sum():
        names, title = grade_names_of(records), f"{confusion.sum()} test eyes"
        pictures["confusion.png"] = plots.confusion_matrix(confusion, names, title)
        bins["grade"] = grade_bins(records)
    if masked := [record for record in records if has_mask(record)]:
        bins["pixels near the disc"] = pixel_bins(records)
        columns = ("vcdr_true", "vcdr_pred", "vcdr_sd")
        ratios = (np.array([r[name] for r in masked], np.float64) for name in columns)
        pictures["vcdr.png"] = plots.vcdr_scatter(*ratios)
    if bins:
        pictures["reliability.png"] = plots.reliability_diagram(bins)
    network = next(iter(methods.values()), {})
    if shown := [name for name in DRAWN if network.get(name)]:
        points = {name: {m: s.get(m) for m in shown} for name, s in methods.items()}
        pictures["scores.png"] = plots.interval_points(points)
    return pictures

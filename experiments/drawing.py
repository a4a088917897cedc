"""Pictures of a run: eyes with their predictions, the sampler at work, plots of the scores."""

import pathlib
from typing import Any

import numpy as np

from data_pipelines.load.stores import Store
from experiments.config import EyeRunConfig
from experiments.prediction import EyePrediction, predict_split
from experiments.scoring import score
from imo_jax.atomic_files import write_picture
from imo_jax.metrics.imo_eye import EyeRecord
from imo_jax.metrics.imo_summary import (
    grade_bins,
    grade_confusion,
    grade_names_of,
    has_mask,
    pixel_bins,
)
from imo_jax.visualisation import plots
from imo_jax.visualisation.overlays import eye_panel, eye_title
from imo_jax.visualisation.tiles import with_notes

VALIDATION_EYES = 3  # drawn for TensorBoard at each validation


def eye_picture(
    store: Store,
    split: str,
    prediction: EyePrediction,
    record: EyeRecord,
    cdr_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """The panel of one eye of a store, at working resolution; doubts about it stand below.

    Args: as `eye_title`, and where the eye lies.
    """
    example = store.example(split, prediction.index)
    panel = eye_panel(
        example["fundus"],
        prediction.probabilities.argmax(axis=-1),
        title=eye_title(record, cdr_range),
        mask=example["mask"] if example["has_mask"] else None,
        uncertainty=prediction.entropy,
        eye=store.sides(split)[prediction.index],
    )
    return with_notes(panel, list(record["warnings"]))


def validation_images(
    variables: Any, step: int, *, store: Store, config: EyeRunConfig
) -> dict[str, np.ndarray]:
    """Panels of the first eyes of the validation split, for TensorBoard."""
    del step  # TensorBoard keeps it beside the image
    if not config.model.segment:
        return {}
    images: dict[str, np.ndarray] = {}
    for prediction in predict_split(variables, store, "val", config, mirror=False):
        if len(images) == VALIDATION_EYES:
            break
        record = score(store, "val", prediction)
        images[prediction.id] = eye_picture(store, "val", prediction, record)
    return images


def draw_plots(
    folder: pathlib.Path, records: list[EyeRecord], methods: dict[str, dict[str, Any]]
) -> None:
    """Writes confusion.png, reliability.png, vcdr.png and scores.png, as the labels allow.

    Args:
      folder: where to.
      records: of the evaluated network.
      methods: name -> summary, the network first, then baseline and controls.
    """
    confusion = grade_confusion(records)
    bins = {}
    if confusion.sum():
        title = f"{confusion.sum()} test eyes"
        picture = plots.confusion_matrix(confusion, grade_names_of(records), title)
        write_picture(folder / "confusion.png", picture)
        bins["grade"] = grade_bins(records)
    masked = [record for record in records if has_mask(record)]
    if masked:
        bins["pixels near the disc"] = pixel_bins(records)
        columns = ("vcdr_true", "vcdr_pred", "vcdr_sd")
        ratios = (np.array([r[name] for r in masked], np.float64) for name in columns)
        write_picture(folder / "vcdr.png", plots.vcdr_scatter(*ratios))
    if bins:
        write_picture(folder / "reliability.png", plots.reliability_diagram(bins))
    shown = ("disc_dice", "cup_dice", "micro_mdice", "qwk", "accuracy")
    shown = [name for name in shown if methods and next(iter(methods.values())).get(name)]
    if shown:
        bars = {name: {m: s.get(m) for m in shown} for name, s in methods.items()}
        write_picture(folder / "scores.png", plots.interval_bars(bars))

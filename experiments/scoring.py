"""Predictions held against the labels of a split, at the masks' native size, and drawn."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from data_pipelines.load.mirrored import to_mirror
from data_pipelines.load.stores import Store
from imo_jax.labels import CLASS_NAMES, CUP, RIM
from imo_jax.metrics.baseline import grade_frequencies, mean_shape
from imo_jax.metrics.imo_eye import EyeRecord, score_eye
from imo_jax.predictor.batches import EyePrediction
from imo_jax.predictor.eye_result import entropy, shape_doubts
from imo_jax.visualisation.overlays import answer_panel


def score(store: Store, split: str, prediction: EyePrediction) -> EyeRecord:
    """The record of one predicted eye, with `warnings`: what is doubted of it."""
    i = prediction.index
    probabilities = prediction.native_probabilities(store.frame(split, i))
    eye_id = store.ids(split)[i]
    record = score_eye(
        eye_id,
        store.patients(split)[i],
        probabilities=probabilities,
        mask=store.native_mask(split, i),
        sample_ids=prediction.sample_ids,
        uncertainty=None if probabilities is None else entropy(probabilities),
        grade_probabilities=prediction.grade_probabilities,
        grade=int(store.grades(split)[i]) if store.has_grade(split)[i] else None,
        glaucoma=store.glaucoma(split)[i],
        grade_names=store.grade_names,
        mm_per_pixel=store.mm_per_pixel(split)[i],
        eye=store.sides(split)[i],
    )
    return record | {"warnings": (*store.doubts.get(eye_id, ()), *shape_doubts(prediction))}


def score_all(
    store: Store,
    split: str,
    predictions: Iterable[EyePrediction],
    each: Callable[[EyePrediction, EyeRecord], None] = lambda prediction, record: None,
) -> list[EyeRecord]:
    """Records of a split; `each` sees every prediction while it is in memory (to draw it)."""
    records = []
    for prediction in predictions:
        record = score(store, split, prediction)
        each(prediction, record)
        records.append(record)
    return records


def eye_picture(
    store: Store,
    split: str,
    prediction: EyePrediction,
    record: EyeRecord,
    cdr_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """The panel of one eye of a store with its record, at working resolution; see `answer_panel`."""
    example = store.example(split, prediction.index)
    return answer_panel(
        example["fundus"],
        prediction,
        record,
        cdr_range=cdr_range,
        mask=example["mask"] if example["has_mask"] else None,
        eye=store.sides(split)[prediction.index],
        view="square" if prediction.id in store.squares else "photograph",
        warnings=record["warnings"],
    )


def fit_baseline(store: Store, split: str, left_as_right: bool = False) -> dict[str, np.ndarray]:
    """What can be said without looking at an eye, learned from a split.

    Args:
      store, split: the eyes.
      left_as_right: whether the network sees left eyes as right ones: then the baseline does.

    Returns:
      `shape` (S, S) uint8 ids on the working square and `grades` (G,) shares; each only where
      the split has the labels.
    """
    baseline: dict[str, np.ndarray] = {}
    masked = np.flatnonzero(store.has_mask(split))
    masks = np.stack([store.example(split, i)["mask"] for i in masked]) if len(masked) else None
    if masks is not None:
        turned = to_mirror(store.sides(split), "OS", left_as_right)[masked]
        masks = np.where(turned[:, None, None], masks[:, :, ::-1], masks)  # (n, S, S)
    if masks is not None and np.isin(masks, (RIM, CUP)).any():
        baseline["shape"] = mean_shape(masks)
    graded = store.grades(split)[store.has_grade(split)]
    if len(graded):
        baseline["grades"] = grade_frequencies(graded, len(store.grade_names))
    return baseline


def baseline_predictions(
    baseline: dict[str, np.ndarray], store: Store, split: str, left_as_right: bool = False
) -> Iterator[EyePrediction]:
    """The same prediction for every eye of a split, in the form of a network's.

    Arguments as fit_baseline: of left eyes that are seen as right ones it is mirrored.
    """
    probabilities: Any = None
    if "shape" in baseline:
        # (S, S) -> (S, S, C) one-hot
        probabilities = np.eye(len(CLASS_NAMES), dtype=np.float32)[baseline["shape"]]
    turned = to_mirror(store.sides(split), "OS", left_as_right)
    for i, eye_id in enumerate(store.ids(split)):
        shape = probabilities
        if turned[i] and shape is not None:
            shape = shape[:, ::-1]
        yield EyePrediction(
            index=i,
            id=eye_id,
            grade_probabilities=baseline.get("grades"),
            probabilities=shape,
            sample_ids=None,
            entropy=None,
        )

"""The summary of a screening evaluation: every metric with its bootstrap interval by patient."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from imo_jax.metrics import binary, bootstrap, calibration, grading, ranking, regression
from imo_jax.metrics.bootstrap import Interval, Statistic
from imo_jax.metrics.screening import VolumeRecord, cases
from imo_jax.visual_field import INDICES

# Level -> records of the volumes -> records of that level.
Grouping = Callable[[Sequence[VolumeRecord]], list[VolumeRecord]]
LEVELS: dict[str, Grouping] = {"image": list, "case": cases}
THRESHOLD = 0.5  # of what is reported without "at_chosen"

DECISION_KEYS = ("accuracy", "f1", "sensitivity", "specificity")
RANKING_KEYS = ("auc", "sensitivity_at_90_specificity", "sensitivity_at_95_specificity")
CALIBRATION_KEYS = ("ece", "brier")
CHOSEN_KEYS = tuple(f"{name}_at_chosen" for name in DECISION_KEYS)
CLASS_KEYS = tuple(
    f"{level}_{name}"
    for level in LEVELS
    for name in (*DECISION_KEYS, *RANKING_KEYS, *CALIBRATION_KEYS, *CHOSEN_KEYS)
)
REGRESSIONS = {
    "r": regression.pearson,
    "mae": regression.mean_absolute_error,
    "rmse": regression.root_mean_squared_error,
}
FIELD_KEYS = tuple(f"{index}_{name}" for index in INDICES for name in REGRESSIONS)

Thresholds = Mapping[str, float]  # level -> threshold


def chosen_thresholds(records: Sequence[VolumeRecord]) -> dict[str, float]:
    """Level -> the threshold with the highest F1 (`binary.choose_threshold`), of validation."""
    thresholds = {}
    for level, group in LEVELS.items():
        labelled = _labelled(group(records))
        thresholds[level] = binary.choose_threshold(_probability(labelled), _positive(labelled))
    return thresholds


def screening_summary(
    records: Sequence[VolumeRecord],
    thresholds: Thresholds | None = None,
    *,
    resamples: int = bootstrap.RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Scores of a set of volumes.

    Accuracy, F1 (of the class glaucoma), sensitivity and specificity call glaucoma from a
    probability of 0.5 on, and `..._at_chosen` from the given threshold on. The calibration error
    compares P(glaucoma) with the share of glaucoma in ten bins of P; the Brier score is the mean of
    (P - y)^2, 0..1. Regressions are of the volumes (images) with a measured index, in percent and
    dB. Interval: `bootstrap.interval`; all volumes of a patient are drawn together.

    Args:
      records: of the volumes; one of unknown class is left out of what needs a class.
      thresholds: from `chosen_thresholds` of the validation split; None leaves those keys None.
      resamples, seed: of the bootstrap; equal seeds give equal intervals.

    Returns:
      For each of CLASS_KEYS and FIELD_KEYS {"value", "low", "high"}, or None where nothing defines
      it (a single class has no AUC, a constant prediction no r, a network without regression no
      errors); and the integers num_volumes, num_cases, num_patients, num_volumes_with_vf.
    """
    summary: dict[str, Any] = dict.fromkeys(CLASS_KEYS + FIELD_KEYS)
    for chosen, statistics in _parts(records, thresholds):
        weights = _weights(chosen, resamples, seed)
        for key, statistic in statistics.items():
            summary[key] = _defined(bootstrap.interval(statistic, weights))
    return summary | {
        "num_volumes": len(records),
        "num_cases": len(cases(records)),
        "num_patients": len({record.patient for record in records}),
        "num_volumes_with_vf": sum(bool(np.isfinite(r.vf_measured).any()) for r in records),
    }


def screening_difference(
    first: Sequence[VolumeRecord],
    second: Sequence[VolumeRecord],
    first_thresholds: Thresholds | None = None,
    second_thresholds: Thresholds | None = None,
    *,
    resamples: int = bootstrap.RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval | None]:
    """Paired comparison of two methods on the same volumes: each metric of first - second.

    Returns:
      As `screening_summary`, without the counts; None also for what only one of them did.

    Raises:
      ValueError: not the same volumes in the same order.
    """
    if [record.id for record in first] != [record.id for record in second]:
        raise ValueError("a paired comparison needs the same volumes, in the same order")
    result: dict[str, Interval | None] = dict.fromkeys(CLASS_KEYS + FIELD_KEYS)
    parts = zip(_parts(first, first_thresholds), _parts(second, second_thresholds), strict=True)
    for (chosen, ours), (_, theirs) in parts:
        weights = _weights(chosen, resamples, seed)
        for key in ours.keys() & theirs.keys():
            result[key] = _defined(bootstrap.difference(ours[key], theirs[key], weights))
    return result


def probability_bins(records: Sequence[VolumeRecord]) -> np.ndarray:
    """(bins, 3) sums for the calibration plot of P(glaucoma), as `calibration.calibration_bins`."""
    labelled = _labelled(records)
    return calibration.calibration_bins(_probability(labelled), _positive(labelled))


def scores_and_classes(records: Sequence[VolumeRecord]) -> tuple[np.ndarray, np.ndarray]:
    """P(glaucoma) and "has glaucoma" of the records whose class is known: (N,), (N,) bool."""
    labelled = _labelled(records)
    return _probability(labelled), _positive(labelled)


Part = tuple[list[VolumeRecord], dict[str, Statistic]]


def _parts(records: Sequence[VolumeRecord], thresholds: Thresholds | None) -> list[Part]:
    """What is scored together, with its statistics: a class by level, and each index."""
    parts = []
    for level, group in LEVELS.items():
        labelled = _labelled(group(records))
        threshold = None if thresholds is None else thresholds[level]
        statistics = _class_statistics(labelled, threshold)
        parts.append((labelled, {f"{level}_{name}": s for name, s in statistics.items()}))
    for j, index in enumerate(INDICES):
        measured = [r for r in records if np.isfinite(r.vf_measured[j])]
        statistics = _field_statistics(measured, j)
        parts.append((measured, {f"{index}_{name}": s for name, s in statistics.items()}))
    return parts


def _labelled(records: Sequence[VolumeRecord]) -> list[VolumeRecord]:
    return [record for record in records if record.glaucoma is not None]


def _probability(records: Sequence[VolumeRecord]) -> np.ndarray:
    return np.array([record.probability for record in records], np.float64)


def _positive(records: Sequence[VolumeRecord]) -> np.ndarray:
    return np.array([record.glaucoma == 1 for record in records], bool)


def _weights(records: Sequence[VolumeRecord], resamples: int, seed: int) -> np.ndarray:
    if not records:
        return np.zeros((resamples, 0))
    rng = np.random.default_rng(seed)
    return bootstrap.patient_weights([r.patient for r in records], resamples, rng)


def _defined(value: Interval) -> Interval | None:
    return value if np.isfinite(value["value"]) else None


def _class_statistics(records: list[VolumeRecord], threshold: float | None) -> dict[str, Statistic]:
    if not records:
        return {}
    score, positive = _probability(records), _positive(records)
    statistics = _decision_statistics(score, positive, THRESHOLD)
    statistics |= {
        "auc": lambda w: ranking.auc(score, positive, w),
        **{
            f"sensitivity_at_{percent}_specificity": _sensitivity(score, positive, percent / 100)
            for percent in (90, 95)
        },
        "ece": bootstrap.of_sums(_bins(score, positive), calibration.ece),
        "brier": bootstrap.weighted_mean(np.square(score - positive)),
    }
    if threshold is not None:
        chosen = _decision_statistics(score, positive, threshold)
        statistics |= {f"{name}_at_chosen": statistic for name, statistic in chosen.items()}
    return statistics


def _decision_statistics(
    score: np.ndarray, positive: np.ndarray, threshold: float
) -> dict[str, Statistic]:
    matrices = binary.confusion(score, positive, threshold)
    metrics = (grading.accuracy, binary.f1, binary.sensitivity, binary.specificity)
    return {
        name: bootstrap.of_sums(matrices, metric)
        for name, metric in zip(DECISION_KEYS, metrics, strict=True)
    }


def _sensitivity(score: np.ndarray, positive: np.ndarray, specificity: float) -> Statistic:
    return lambda w: ranking.sensitivity_at_specificity(score, positive, specificity, w)


def _bins(score: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """(N, bins, 3): each example's own calibration bins, a single entry."""
    pairs = zip(score[:, None], positive[:, None], strict=True)
    return np.stack([calibration.calibration_bins(p, y) for p, y in pairs])


def _field_statistics(records: list[VolumeRecord], j: int) -> dict[str, Statistic]:
    if not records or any(record.vf_predicted is None for record in records):
        return {}
    truth = np.array([record.vf_measured[j] for record in records], np.float64)
    fields = [record.vf_predicted for record in records if record.vf_predicted is not None]
    predicted = np.array([field[j] for field in fields], np.float64)
    return {name: statistic(truth, predicted) for name, statistic in REGRESSIONS.items()}

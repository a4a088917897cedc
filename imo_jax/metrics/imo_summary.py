"""The summary of an evaluation: every metric with its bootstrap interval by patient."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from imo_jax.labels import CLASS_NAMES, GRADE_NAMES, REGIONS
from imo_jax.metrics import bootstrap, calibration, grading, ranking, segmentation
from imo_jax.metrics.bootstrap import Interval, Statistic
from imo_jax.metrics.cup_to_disc import ratio_errors
from imo_jax.metrics.imo_eye import EyeRecord, dice_of

SEGMENTATION_KEYS = (
    *(f"micro_dice_{name}" for name in CLASS_NAMES), "micro_mdice",
    "disc_dice", "cup_dice", "rim_dice", "vcdr_mae",
    "pixel_ece", "pixel_brier", "pixel_nll", "uncertainty_auroc",
)  # fmt: skip
GRADING_KEYS = (
    "qwk", "accuracy", "macro_precision", "macro_recall", "macro_f1",
    "referable_auc", "sensitivity_at_90_specificity", "sensitivity_at_95_specificity",
    "grade_ece", "grade_brier", "grade_nll",
)  # fmt: skip


def has_mask(record: EyeRecord) -> bool:
    """The eye was segmented and has a mask to compare with."""
    return record["confusion"] is not None


def has_grade(record: EyeRecord) -> bool:
    """The eye was graded and has a grade to compare with."""
    return record["grade"] is not None and record["grade_probabilities"] is not None


def glaucoma_of(record: EyeRecord) -> int | None:
    """0 or 1 by the grade, or by what is known without one; None where neither is."""
    if record["grade"] is not None:
        return int(record["grade"] > 0)
    return record.get("glaucoma")


def imo_summary(
    records: Sequence[EyeRecord], *, resamples: int = bootstrap.RESAMPLES, seed: int = 0
) -> dict[str, Any]:
    """Scores of a set of eyes.

    Micro Dice and its 3-class mean are the paper's (areas summed over the set); `disc_dice`,
    `cup_dice`, `rim_dice` are means of per-eye Dice; an eye whose mask does not tell the cup counts
    for the disc alone. `vcdr_mae` is over the eyes whose truth has
    a disc; one whose prediction has none is scored as if it said 0, for a miss must cost. Pixel
    calibration and `uncertainty_auroc` look at the box around the true disc. `referable_*` and
    sensitivities separate grade > 0, or glaucoma where only that is known, by 1 - P(normal). Interval: `bootstrap.interval`.

    Args:
      records: from `imo_eye.score_eye`.
      resamples, seed: of the bootstrap; equal seeds give equal intervals.

    Returns:
      For each of SEGMENTATION_KEYS and GRADING_KEYS {"value", "low", "high"}, or None where no
      labelled eye defines it; and the integers num_eyes, num_patients, num_eyes_with_mask,
      num_eyes_with_grade and num_discs_missed (true discs where none is predicted). Ready for JSON.
    """
    summary: dict[str, Any] = dict.fromkeys(SEGMENTATION_KEYS + GRADING_KEYS)
    for chosen, statistics in _parts(records):
        weights = _weights(chosen, resamples, seed)
        for key, statistic in statistics(chosen).items():
            summary[key] = _defined(bootstrap.interval(statistic, weights))
    return summary | {
        "num_eyes": len(records),
        "num_patients": len({r["patient"] for r in records}),
        "num_eyes_with_mask": sum(map(has_mask, records)),
        "num_eyes_with_grade": sum(map(has_grade, records)),
        "num_discs_missed": sum(map(_is_missed, records)),
    }


def imo_difference(
    first: Sequence[EyeRecord],
    second: Sequence[EyeRecord],
    *,
    resamples: int = bootstrap.RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval | None]:
    """Paired comparison of two methods on the same eyes: each metric of first - second.

    Returns:
      As `imo_summary`, without the counts; None also for a task that only one of them did.

    Raises:
      ValueError: what both methods scored are not the same eyes in the same order.
    """
    result: dict[str, Interval | None] = dict.fromkeys(SEGMENTATION_KEYS + GRADING_KEYS)
    for (ours, statistics), (theirs, _) in zip(_parts(first), _parts(second), strict=True):
        if not ours or not theirs:
            continue
        if [r["id"] for r in ours] != [r["id"] for r in theirs]:
            raise ValueError("a paired comparison needs the same eyes, in the same order")
        weights = _weights(ours, resamples, seed)
        others = statistics(theirs)
        for key, statistic in statistics(ours).items():
            result[key] = _defined(bootstrap.difference(statistic, others[key], weights))
    return result


def grade_confusion(records: Sequence[EyeRecord]) -> np.ndarray:
    """(G, G) int64 counts of (true, predicted) grade over the eyes that have both."""
    return _grade_matrices([r for r in records if has_grade(r)]).sum(axis=0)


def grade_names_of(records: Sequence[EyeRecord]) -> tuple[str, ...]:
    """The names of the grades that records of one set are in; of no records the paper's."""
    return records[0]["grade_names"] if records else GRADE_NAMES


def grade_bins(records: Sequence[EyeRecord]) -> np.ndarray:
    """(bins, 3) sums for the reliability diagram of the grades, as `calibration_bins`."""
    return _grade_bins([r for r in records if has_grade(r)]).sum(axis=0)


def pixel_bins(records: Sequence[EyeRecord]) -> np.ndarray:
    """(bins, 3) sums for the reliability diagram of the pixels around the disc."""
    bins = [r["calibration"]["bins"] for r in records if has_mask(r)]
    return np.sum(bins, axis=0) if bins else np.zeros((calibration.NUM_BINS, 3))


Statistics = Callable[[list[EyeRecord]], dict[str, Statistic]]


def _parts(records: Sequence[EyeRecord]) -> list[tuple[list[EyeRecord], Statistics]]:
    """The labelled eyes of each task, with what makes its statistics; both lists may be empty."""
    return [
        ([r for r in records if has_mask(r)], _segmentation_statistics),
        ([r for r in records if has_grade(r)], _grading_statistics),
        (
            [
                r
                for r in records
                if r["grade_probabilities"] is not None and glaucoma_of(r) is not None
            ],
            _referable_statistics,
        ),
    ]


def _weights(records: Sequence[EyeRecord], resamples: int, seed: int) -> np.ndarray:
    if not records:
        return np.zeros((resamples, 0))
    rng = np.random.default_rng(seed)
    return bootstrap.patient_weights([r["patient"] for r in records], resamples, rng)


def _defined(value: Interval) -> Interval | None:
    return value if np.isfinite(value["value"]) else None


def _segmentation_statistics(records: list[EyeRecord]) -> dict[str, Statistic]:
    if not records:
        return {}
    # Of a mask that does not tell the cup the disc alone counts.
    confusion = np.stack([r["confusion"] * r["cup_is_told"] for r in records])
    result = {
        f"micro_dice_{name}": bootstrap.of_sums(confusion, _micro_dice_of(k))
        for k, name in enumerate(CLASS_NAMES)
    }
    result["micro_mdice"] = bootstrap.of_sums(confusion, segmentation.micro_mdice)
    each = [dice_of(r) for r in records]
    for name in REGIONS:
        dice = np.array([of_eye.get(name, np.nan) for of_eye in each])
        result[f"{name}_dice"] = bootstrap.weighted_mean(dice)
    result["vcdr_mae"] = bootstrap.weighted_mean(_vcdr_errors(records))
    bins = np.stack([r["calibration"]["bins"] for r in records])
    result["pixel_ece"] = bootstrap.of_sums(bins, calibration.ece)
    for name in ("brier", "nll"):
        sums = np.array([[r["calibration"][name], r["calibration"]["pixels"]] for r in records])
        result[f"pixel_{name}"] = bootstrap.of_sums(sums, lambda s: s[:, 0] / s[:, 1])
    aurocs = [r["uncertainty_auroc"] for r in records]
    result["uncertainty_auroc"] = bootstrap.weighted_mean(np.array(aurocs, np.float64))
    return result


def _micro_dice_of(k: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda confusion: segmentation.micro_dice(confusion)[..., k]


def _is_missed(record: EyeRecord) -> bool:
    """Whether an eye's true disc was not found."""
    if not has_mask(record):
        return False
    return bool(np.isfinite(record["vcdr_true"]) and not np.isfinite(record["vcdr_pred"]))


def _vcdr_errors(records: list[EyeRecord]) -> np.ndarray:
    """(N,) `ratio_errors` of the eyes."""
    true = np.array([r["vcdr_true"] for r in records], np.float64)
    predicted = np.array([r["vcdr_pred"] for r in records], np.float64)
    return ratio_errors(predicted, true)


def _grading_statistics(records: list[EyeRecord]) -> dict[str, Statistic]:
    if not records:
        return {}
    truth = np.array([r["grade"] for r in records])
    probabilities = np.stack([r["grade_probabilities"] for r in records])
    matrices = _grade_matrices(records)
    return {
        "qwk": bootstrap.of_sums(matrices, grading.quadratic_weighted_kappa),
        "accuracy": bootstrap.of_sums(matrices, grading.accuracy),
        "macro_precision": bootstrap.of_sums(matrices, grading.macro_precision),
        "macro_recall": bootstrap.of_sums(matrices, grading.macro_recall),
        "macro_f1": bootstrap.of_sums(matrices, grading.macro_f1),
        "grade_ece": bootstrap.of_sums(_grade_bins(records), calibration.ece),
        "grade_brier": bootstrap.weighted_mean(calibration.brier(probabilities, truth)),
        "grade_nll": bootstrap.weighted_mean(calibration.nll(probabilities, truth)),
    }


def _referable_statistics(records: list[EyeRecord]) -> dict[str, Statistic]:
    """Glaucoma told from none by 1 - P(normal)."""
    if not records:
        return {}
    referable = np.array([bool(glaucoma_of(r)) for r in records])
    score = 1.0 - np.stack([r["grade_probabilities"] for r in records])[:, 0]
    return {
        "referable_auc": lambda w: ranking.auc(score, referable, w),
        **{
            f"sensitivity_at_{percent}_specificity": _sensitivity(score, referable, percent / 100)
            for percent in (90, 95)
        },
    }


def _sensitivity(score: np.ndarray, positive: np.ndarray, specificity: float) -> Statistic:
    return lambda w: ranking.sensitivity_at_specificity(score, positive, specificity, w)


def _grade_matrices(records: Sequence[EyeRecord]) -> np.ndarray:
    """(N, G, G): each eye's own confusion matrix, a single 1."""
    truth = np.array([r["grade"] for r in records], np.int64)
    predicted = np.array([r["grade_probabilities"].argmax() for r in records], np.int64)
    grades = len(grade_names_of(records))
    matrices = np.zeros((len(records), grades, grades), np.int64)
    matrices[np.arange(len(records)), truth, predicted] = 1
    return matrices


def _grade_bins(records: Sequence[EyeRecord]) -> np.ndarray:
    """(N, bins, 3): each eye's own calibration bins, a single entry."""
    bins = np.zeros((len(records), calibration.NUM_BINS, 3))
    for eye, r in zip(bins, records, strict=True):
        confidence = r["grade_probabilities"].max(keepdims=True)
        correct = np.array([r["grade_probabilities"].argmax() == r["grade"]])
        eye += calibration.calibration_bins(confidence, correct)
    return bins

"""How often what a calibration promises of a network's errors holds of other eyes."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from imo_jax.metrics import bootstrap
from imo_jax.metrics.grade_map import GradeMap
from imo_jax.metrics.imo_eye import EyeRecord
from imo_jax.predictor.calibration import (
    EyeCalibration,
    cdr_errors,
    graded,
    patients_of,
    with_grades,
    with_ratios,
)

KEYS = ("cdr_interval_coverage", "grade_set_coverage", "grade_set_size")


def kept_promises(
    calibration: EyeCalibration | str,
    records: Sequence[EyeRecord],
    *,
    grades: GradeMap | None,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """How often the intervals and sets of a calibration hold the truth of other eyes.

    Args:
      calibration: of the network; or why there is none.
      records: of the other eyes (`metrics.imo_eye.score_eye`).
      grades: how the network's grades are scored; None = as they are. The bound of sets is of its
        own: where several of them are one of the eyes', nothing is said of sets.
      resamples, seed: of the bootstrap.

    Returns:
      `cdr_interval_coverage` and `grade_set_coverage`, shares of eyes, and `grade_set_size`, mean
      number of grades in a set: {"value", "low", "high"}, or None; and `calibration`, what it was.
    """
    found: dict[str, Any] = dict.fromkeys(KEYS)
    if isinstance(calibration, str):
        return found | {"calibration": calibration}

    def interval(values: np.ndarray, eyes: Sequence[EyeRecord]) -> bootstrap.Interval:
        rng = np.random.default_rng(seed)
        weights = bootstrap.patient_weights(patients_of(eyes), resamples, rng)
        return bootstrap.interval(bootstrap.weighted_mean(values.astype(np.float64)), weights)

    measured = with_ratios(records)
    if calibration.cdr_error is not None and measured:
        inside = cdr_errors(measured) <= calibration.cdr_error
        found["cdr_interval_coverage"] = interval(inside, measured)
    both = with_grades(records)
    merged = grades is not None and grades.merges
    if calibration.grade_score is not None and both and not merged:
        probabilities, truth = graded(both)
        sets = calibration.grade_set(probabilities)
        found["grade_set_coverage"] = interval(sets[np.arange(len(truth)), truth], both)
        found["grade_set_size"] = interval(sets.sum(axis=-1), both)
    return found | {"calibration": dataclasses.asdict(calibration)}

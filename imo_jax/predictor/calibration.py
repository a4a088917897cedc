"""What validation taught of a network's errors, so that what is said of an eye can be relied on."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from imo_jax.metrics import conformal
from imo_jax.metrics.imo_eye import EyeRecord

COVERAGE = 0.9
FEWEST = 10  # graded eyes that a temperature is fitted to
FILE = "calibration.json"  # in the folder of a run


@dataclasses.dataclass(frozen=True)
class EyeCalibration:
    """Bounds that hold for eyes like those of the validation split (metrics/conformal.py).

    They were not trained on, but a checkpoint was chosen by them, which makes the bounds slightly
    too good where there are few.

    Attributes:
      step: of the checkpoint that was measured; of another one nothing is known.
      asked: how the network was asked (`answers.how_asked`); otherwise nothing is known.
      coverage: the share of eyes in which the bounds hold.
      cdr_error: bound of |predicted - true| vertical CDR where a disc was found; None: too few eyes.
      cdr_eyes: validation eyes with a mask in which a disc was found.
      grade_score: bound of `conformal.grade_scores`; None: too few eyes.
      temperature: of the grades' probabilities; None: too few eyes.
      graded_eyes: validation eyes with a grade.
    """

    step: int
    asked: dict[str, Any]
    coverage: float
    cdr_error: float | None
    cdr_eyes: int
    grade_score: float | None
    temperature: float | None
    graded_eyes: int

    @classmethod
    def fit(
        cls,
        records: Sequence[EyeRecord],
        *,
        step: int,
        asked: dict[str, Any],
        coverage: float = COVERAGE,
    ) -> Self:
        """From the records (`metrics.imo_eye.score_eye`) of eyes that were not trained on."""
        errors, patients = cdr_errors(records), patients_of(with_ratios(records))
        cdr_error = conformal.bound(errors, patients, coverage)
        probabilities, truth = graded(records)
        scores = conformal.grade_scores(probabilities, truth)
        grade_score = conformal.bound(scores, patients_of(with_grades(records)), coverage)
        return cls(
            step=step,
            asked=asked,
            coverage=coverage,
            cdr_error=_finite(cdr_error),
            cdr_eyes=len(errors),
            grade_score=_finite(grade_score),
            temperature=conformal.fit_temperature(probabilities, truth)
            if len(truth) >= FEWEST
            else None,
            graded_eyes=len(truth),
        )

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of `dataclasses.asdict`; raises TypeError for other names."""
        return cls(**values)

    def mismatch(self, asked: dict[str, Any]) -> str | None:
        """Why nothing is known of a network that is asked so; None where it was measured so."""
        other = [name for name, value in self.asked.items() if asked.get(name) != value]
        if not other:
            return None
        measured = ", ".join(f"{name}={self.asked[name]}" for name in other)
        return f"nothing: the network's errors were measured with {measured}"

    def in_words(self) -> str:
        """What was measured."""
        return (
            f"{self.cdr_eyes} validation eyes with a disc and {self.graded_eyes} with a grade "
            f"(checkpoint of step {self.step})"
        )

    def cdr_interval(self, value: float | None) -> tuple[float, float] | None:
        """Where the true vertical CDR lies, cut to 0..1; None where nothing can be promised.

        Args:
          value: the predicted one; None or NaN where no disc was found.
        """
        if self.cdr_error is None or value is None or not math.isfinite(value):
            return None
        return max(value - self.cdr_error, 0.0), min(value + self.cdr_error, 1.0)

    def tempered(self, grade_probabilities: np.ndarray) -> np.ndarray:
        """(G,) float32 probabilities that are met more nearly."""
        if self.temperature is None:
            return grade_probabilities
        return conformal.tempered(grade_probabilities, self.temperature)

    def grade_set(self, grade_probabilities: np.ndarray) -> np.ndarray | None:
        """(G,) bool: grades that cannot be ruled out, from the network's own probabilities."""
        if self.grade_score is None:
            return None
        return conformal.grade_set(grade_probabilities, self.grade_score)


def with_ratios(records: Sequence[EyeRecord]) -> list[EyeRecord]:
    """The eyes that have a predicted and a true vertical CDR."""
    return [
        r
        for r in records
        if r["vcdr_true"] is not None and math.isfinite(r["vcdr_pred"] - r["vcdr_true"])
    ]


def with_grades(records: Sequence[EyeRecord]) -> list[EyeRecord]:
    """The eyes that have a predicted and a true grade."""
    return [r for r in records if r["grade"] is not None and r["grade_probabilities"] is not None]


def patients_of(records: Sequence[EyeRecord]) -> list[str]:
    return [record["patient"] for record in records]


def cdr_errors(records: Sequence[EyeRecord]) -> np.ndarray:
    """(N,) |predicted - true| vertical CDR of the eyes `with_ratios`."""
    return np.array([abs(r["vcdr_pred"] - r["vcdr_true"]) for r in with_ratios(records)])


def graded(records: Sequence[EyeRecord]) -> tuple[np.ndarray, np.ndarray]:
    """(N, G) probabilities and (N,) int grades of the eyes `with_grades`."""
    both = with_grades(records)
    if not both:
        return np.zeros((0, 1)), np.zeros(0, np.int64)
    return (
        np.stack([r["grade_probabilities"] for r in both]),
        np.array([r["grade"] for r in both], np.int64),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

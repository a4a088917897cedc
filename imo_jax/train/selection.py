"""Which step is the best on the validation split, and whether it is worth going on."""

import dataclasses
import math
from dataclasses import dataclass

MODES = {"max": 1.0, "min": -1.0}


@dataclass(frozen=True)
class Selection:
    """What validation has shown so far; a part of every checkpoint.

    Attributes:
      best_step, best_value: of the first validation with the best value; None before any.
      validated_step: of the latest validation; None before any.
      since_best: validations since the best one.
    """

    best_step: int | None = None
    best_value: float | None = None
    validated_step: int | None = None
    since_best: int = 0

    def after(self, step: int, value: float, mode: str) -> "Selection":
        """Selection once step `step` was found to have `value`; only a finite value can be better.

        Args:
          step: steps done.
          value: of the metric that decides.
          mode: "max" or "min", which end is better.
        """
        better = math.isfinite(value) and (
            self.best_value is None or MODES[mode] * value > MODES[mode] * self.best_value
        )
        if better:
            return Selection(step, value, step, 0)
        return dataclasses.replace(self, validated_step=step, since_best=self.since_best + 1)

    def exhausted(self, patience: int) -> bool:
        """Whether `patience` validations in a row were no better; never with patience 0."""
        return 0 < patience <= self.since_best

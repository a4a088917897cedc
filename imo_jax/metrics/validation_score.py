"""By what a checkpoint of a network on eyes is chosen."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from imo_jax.metrics.imo_eye import EyeRecord
from imo_jax.metrics.imo_summary import grade_names_of, imo_summary

# The validation score is the mean of those of these that the labels define: the two shapes and the
# grade weigh alike, none of them can be bought with another. Of two grades, and where only glaucoma is
# known, the area under the curve takes the place of kappa.
SCORE_PARTS = ("disc_dice", "cup_dice", "qwk")


def validation_metrics(records: Sequence[EyeRecord]) -> dict[str, float]:
    """Point values of `imo_summary`, and two means by which a checkpoint can be chosen.

    `score` is the mean of SCORE_PARTS that are defined, `shapes` that of its two Dice alone: so are
    networks with and without a grade chosen alike. Where no mask is, it is `score`. NaN of nothing.
    """
    values = point_values(imo_summary(records, resamples=1))
    *dice, of_grade = SCORE_PARTS
    if of_grade not in values or len(grade_names_of(records)) == 2:
        of_grade = "referable_auc"  # of two classes the order counts, wherever they are parted
    score = _mean_of(values, (*dice, of_grade))
    shapes = _mean_of(values, dice)
    return values | {"score": score, "shapes": score if np.isnan(shapes) else shapes}


def point_values(summary: Mapping[str, object]) -> dict[str, float]:
    """The scores of a summary without their intervals."""
    return {name: found["value"] for name, found in summary.items() if isinstance(found, dict)}


def _mean_of(values: Mapping[str, float], names: Iterable[str]) -> float:
    """The mean of those that are there; NaN of none."""
    parts = [values[name] for name in names if name in values]
    return float(np.mean(parts)) if parts else float("nan")

"""The test eyes of a store as a comparison shows them."""

import math
from collections.abc import Iterator

from data_pipelines.load.stores import Store
from experiments.prediction import SCORED
from imo_jax.metrics.cup_to_disc import vertical_cdr
from imo_jax.report.comparison_eyes import LabelledEye, shown_eyes


def labelled_eyes(store: Store) -> Iterator[LabelledEye]:
    """The test eyes, one after the other: not all photographs need memory at once."""
    return (labelled_eye(store, i) for i in range(store.num(SCORED)))


def some_eyes(store: Store) -> list[LabelledEye]:
    """A few test eyes of small to large cups."""
    ratios = [true_ratio(store, i) for i in range(store.num(SCORED))]
    return [labelled_eye(store, i) for i in shown_eyes(ratios)]


def labelled_eye(store: Store, i: int) -> LabelledEye:
    """Test eye i."""
    example = store.example(SCORED, i)
    return LabelledEye(
        index=i,
        name=example["id"],
        photograph=example["fundus"],
        mask=example["mask"] if example["has_mask"] else None,
        vcdr=true_ratio(store, i),
        grade=store.grade_names[int(example["grade"])] if example["has_grade"] else None,
    )


def true_ratio(store: Store, i: int) -> float:
    """Vertical cup-to-disc ratio of test eye i at its mask's native size; NaN where none is known."""
    mask = store.native_mask(SCORED, i)
    return math.nan if mask is None else vertical_cdr(mask)

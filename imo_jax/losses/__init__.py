"""Losses as mergeable sums, with missing labels and ignored pixels masked out."""

from imo_jax.losses.grading import (
    grading_count,
    grading_cross_entropy,
    grading_ordinal,
    merged_grading,
)
from imo_jax.losses.screening import binary_count, binary_cross_entropy, squared_error
from imo_jax.losses.segmentation import (
    dice_count,
    dice_loss,
    segmentation_count,
    segmentation_cross_entropy,
)
from imo_jax.losses.sums import Sum, add, mean

__all__ = [
    "Sum",
    "add",
    "binary_count",
    "binary_cross_entropy",
    "dice_count",
    "dice_loss",
    "grading_count",
    "grading_cross_entropy",
    "grading_ordinal",
    "mean",
    "merged_grading",
    "segmentation_count",
    "segmentation_cross_entropy",
    "squared_error",
]

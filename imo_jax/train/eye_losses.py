"""Losses of networks that segment disc and cup, grade the eye, or both; gaps are left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import jax
import jax.numpy as jnp

from imo_jax import losses
from imo_jax.layers.resize import bilinear
from imo_jax.losses import Sum
from imo_jax.losses.segmentation import DIVIDE_BY

Batch = dict[str, jax.Array]

# Loss of a grading head by name; both are divided by the eyes' summed class weights.
GRADE_LOSSES = {
    "cross_entropy": losses.grading_cross_entropy,
    "ordinal": losses.grading_ordinal,
}


class Checked:
    """A config that lists everything wrong with its values when it is made."""

    def __post_init__(self) -> None:
        """Raises ValueError listing every bad value."""
        if problems := self.problems():
            raise ValueError("; ".join(problems))

    def problems(self) -> list[str]:
        """Everything wrong with the values, in words: no weight is negative."""
        return [
            f"{setting.name} {getattr(self, setting.name)} is negative"
            for setting in fields(self)
            if setting.name.endswith("_weight") and getattr(self, setting.name) < 0
        ]

    def _unless_in(self, name: str, table: Mapping[str, Any]) -> list[str]:
        """A problem where a setting is no key of its table."""
        value = getattr(self, name)
        return [] if value in table else [f"{name} is {value!r}; choose one of {sorted(table)}"]


@dataclass(frozen=True)
class MaskLossConfig(Checked):
    """Weights and kinds of the losses of class logits against masks."""

    segmentation_weight: float = field(
        default=1.0, metadata={"help": "weight of the pixel cross entropy"}
    )
    dice_weight: float = field(default=1.0, metadata={"help": "weight of the Dice loss"})
    auxiliary_weight: float = field(
        default=0.4,
        metadata={"help": "weight of the auxiliary heads' cross entropy, where there are any"},
    )
    auxiliary_dice_weight: float = field(
        default=0.0, metadata={"help": "weight of the auxiliary heads' Dice loss"}
    )
    coarse_weight: float = field(
        default=0.4,
        metadata={
            "help": "weight of cross entropy and Dice at the decoder's grid, where shapes are "
            "decoded finer"
        },
    )
    divide_by: str = field(
        default="counted",
        metadata={
            "help": "what pixel cross entropies are divided by: pixels with a label, or all "
            "(released)",
            "choices": tuple(DIVIDE_BY),
        },
    )

    def problems(self) -> list[str]:
        return super().problems() + self._unless_in("divide_by", DIVIDE_BY)


@dataclass(frozen=True)
class GradeLossConfig(Checked):
    """Weight and kind of the loss of grades."""

    grade_weight: float = field(default=1.0, metadata={"help": "weight of the grading loss"})
    grade_loss: str = field(
        default="cross_entropy",
        metadata={"help": "kind of the grading loss", "choices": tuple(GRADE_LOSSES)},
    )
    grade_class_weights: tuple[float, ...] = field(
        default=(), metadata={"help": "a weight for each grade; empty = 1 each"}
    )

    def problems(self) -> list[str]:
        return super().problems() + self._unless_in("grade_loss", GRADE_LOSSES)


@dataclass(frozen=True)
class LossConfig(MaskLossConfig, GradeLossConfig):
    """Both, of a network that does both."""


class EyeLosses:
    """The losses of the heads that a network has.

    Terms: `segmentation` and `dice` (class logits against the mask), `auxiliary` and
    `auxiliary_dice` (of further heads), `coarse` and `coarse_dice` (of the class logits of which
    the first are the refinement), `grade`. An eye without a mask or grade is left out of their totals
    and counts.

    Args:
      config: weights and kinds.
      segment, grade: which heads there are.
      auxiliary: whether there are auxiliary heads; their losses are averaged.
      coarse: whether there are coarser class logits beside the finest.
      num_grades: of the grading head.

    Raises:
      ValueError: no term is left, or not one class weight a grade.
    """

    def __init__(
        self,
        config: MaskLossConfig | GradeLossConfig,
        *,
        segment: bool,
        grade: bool,
        auxiliary: bool,
        coarse: bool = False,
        num_grades: int,
    ) -> None:
        self._config = config
        self._class_weights = (config.grade_class_weights if grade else ()) or None
        if self._class_weights and len(self._class_weights) != num_grades:
            raise ValueError(
                f"grade_class_weights has {len(self._class_weights)} values for {num_grades} grades"
            )
        there = {
            "segmentation": segment,
            "dice": segment,
            "auxiliary": auxiliary,
            "auxiliary_dice": auxiliary,
            "coarse": coarse,
            "grade": grade,
        }
        weights = {
            name: getattr(config, f"{name}_weight") for name, is_there in there.items() if is_there
        }
        if coarse:
            weights["coarse_dice"] = config.coarse_weight * config.dice_weight
        self.weights = {name: weight for name, weight in weights.items() if weight > 0}
        if not self.weights:
            raise ValueError("nothing to learn: the weight of every head's loss is 0")

    def counts(self, batch: Batch) -> dict[str, jax.Array]:
        """Term -> what its total is divided by, from labels alone (see `Objective`)."""
        masks = batch["mask"], batch["has_mask"]
        grades = batch["grade"], batch["has_grade"]
        count = {
            "segmentation": lambda: losses.segmentation_count(*masks, self._config.divide_by),
            "dice": lambda: losses.dice_count(*masks),
            "auxiliary": lambda: losses.segmentation_count(*masks, self._config.divide_by),
            "auxiliary_dice": lambda: losses.dice_count(*masks),
            "coarse": lambda: losses.segmentation_count(*masks, self._config.divide_by),
            "coarse_dice": lambda: losses.dice_count(*masks),
            "grade": lambda: (
                losses.grading_count(*grades, class_weights=self._class_weights)
                + jnp.sum(_only_glaucoma(batch), dtype=jnp.float32)
            ),
        }
        return {name: count[name]() for name in self.weights}

    def totals(
        self,
        batch: Batch,
        *,
        segmentation: jax.Array | None = None,
        auxiliary: tuple[jax.Array, ...] = (),
        coarse: tuple[jax.Array, ...] = (),
        grade: jax.Array | None = None,
    ) -> dict[str, jax.Array]:
        """Totals of the terms that have a weight.

        Args:
          batch: labels: `mask` (B, H, W) int32, `has_mask`, `grade`, `has_grade` (B,).
          segmentation: (B, h, w, classes) float32 logits; resized to the mask's size.
          auxiliary: those of auxiliary heads, each at a size of its own.
          coarse: coarser ones of the same decoder, likewise.
          grade: (B, grades) float32 logits. Eyes without a grade of which `glaucoma` (B,) says
            whether they have it (`has_glaucoma`) weigh 1 each in the same term.
        """
        config, size = self._config, batch["mask"].shape[1:]
        masks = batch["mask"], batch["has_mask"]
        grades = batch["grade"], batch["has_grade"]

        def pixelwise(logits: jax.Array) -> jax.Array:
            sums = losses.segmentation_cross_entropy(logits, *masks, divide_by=config.divide_by)
            return sums.total

        def regional(logits: jax.Array) -> jax.Array:
            return losses.dice_loss(logits, *masks).total

        found = {}
        for cross_entropy, dice, several in (
            ("segmentation", "dice", (segmentation,)),
            ("auxiliary", "auxiliary_dice", auxiliary),
            ("coarse", "coarse_dice", coarse),
        ):
            if not {cross_entropy, dice} & set(self.weights):
                continue
            resized = [bilinear(logits, size) for logits in several]
            found[cross_entropy] = jnp.mean(jnp.stack([pixelwise(x) for x in resized]))
            found[dice] = jnp.mean(jnp.stack([regional(x) for x in resized]))
        if "grade" in self.weights:
            loss = GRADE_LOSSES[config.grade_loss]
            found["grade"] = loss(grade, *grades, class_weights=self._class_weights).total
            if "glaucoma" in batch:
                only = _only_glaucoma(batch)
                found["grade"] += losses.merged_grading(grade, batch["glaucoma"], only).total
        return {name: found[name] for name in self.weights}


def _only_glaucoma(batch: Batch) -> jax.Array:
    """(B,) bool: eyes of which glaucoma is known, and no grade; none where the batch has no such key."""
    if "has_glaucoma" not in batch:
        return jnp.zeros_like(batch["has_grade"])
    return batch["has_glaucoma"] & ~batch["has_grade"]


def grade_accuracy(logits: jax.Array, batch: Batch) -> Sum:
    """Eyes graded right among those with a grade."""
    right = (jnp.argmax(logits, axis=-1) == batch["grade"]) & batch["has_grade"]
    return Sum(jnp.sum(right, dtype=jnp.float32), jnp.sum(batch["has_grade"], dtype=jnp.float32))

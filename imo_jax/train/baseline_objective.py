"""What segmenters and graders learn from: the losses of IMO's heads, without the diffusion."""

from typing import Any

import jax

from imo_jax.models.graders.config import GraderConfig
from imo_jax.models.inputs import normalise
from imo_jax.models.registry import kind_of
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.train import keys
from imo_jax.train.eye_losses import (
    EyeLosses,
    GradeLossConfig,
    MaskLossConfig,
    grade_accuracy,
)
from imo_jax.train.objectives import Totals

Batch = dict[str, jax.Array]
AUXILIARY = "auxiliary_logits"  # how the entries of auxiliary heads begin


class BaselineObjective:
    """Objective of `imo_jax.train.objectives.Objective` for a segmenter or a grader.

    Args:
      model: the network's config.
      config: weights and kinds of the losses; terms as `EyeLosses`.
    """

    def __init__(
        self,
        model: SegmenterConfig | GraderConfig,
        config: MaskLossConfig | GradeLossConfig,
    ) -> None:
        self._network = kind_of(model).module(model)
        self._grades = model.grade
        self._losses = EyeLosses(
            config,
            segment=not self._grades,
            grade=self._grades,
            auxiliary=not self._grades and model.auxiliary,
            num_grades=model.num_grades if self._grades else 0,
        )
        self.weights = self._losses.weights
        self.counts = self._losses.counts

    def totals(
        self,
        params: Any,
        batch_stats: Any,
        batch: Batch,
        example_keys: jax.Array,
        *,
        step: jax.Array,
        train: bool,
        axis_name: str | None,
    ) -> Totals:
        """Losses of a part of a batch."""
        del step  # nothing changes in the course of a training
        inputs = normalise(batch)
        outputs, new = self._network.apply(
            {"params": params, "batch_stats": batch_stats},
            inputs["fundus"],
            inputs["oct"],
            inputs["has_oct"],
            train=train,
            example_keys=keys.named(example_keys, "layers") if train else None,
            axis_name=axis_name,
            mutable=["batch_stats"],
        )
        batch_stats = new.get("batch_stats", {})
        if self._grades:
            logits = outputs["grade_logits"]
            extras = {"grade_accuracy": grade_accuracy(logits, batch)}
            return Totals(self._losses.totals(batch, grade=logits), batch_stats, extras)
        auxiliary = tuple(v for name, v in sorted(outputs.items()) if name.startswith(AUXILIARY))
        totals = self._losses.totals(batch, segmentation=outputs["logits"], auxiliary=auxiliary)
        return Totals(totals, batch_stats, {})

"""What the screening networks learn from: the class, and the visual field where there is one."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from imo_jax import visual_field
from imo_jax.losses import Sum, binary_count, binary_cross_entropy, squared_error
from imo_jax.models.semt.config import SemtConfig
from imo_jax.models.semt.inputs import normalise
from imo_jax.models.semt.networks import network
from imo_jax.train import keys
from imo_jax.train.objectives import Totals

Batch = dict[str, jax.Array]


@dataclass(frozen=True)
class ScreeningObjectiveConfig:
    """Weights of the losses: L = L_classification + sum_j alpha_j L_j."""

    alpha_vfi: float = field(
        default=1.0, metadata={"help": "weight of the visual field index's squared error"}
    )
    alpha_md: float = field(
        default=1.0, metadata={"help": "weight of the mean deviation's squared error"}
    )
    alpha_psd: float = field(
        default=1.0, metadata={"help": "weight of the pattern standard deviation's squared error"}
    )
    pos_weight: float = field(
        default=1.0,
        metadata={
            "help": "weight of an example with glaucoma in the cross entropy; normal ones: 1"
        },
    )

    def __post_init__(self) -> None:
        """Raises ValueError listing every bad value."""
        problems = [
            f"alpha_{name} {self.alpha(name)} is negative"
            for name in visual_field.INDICES
            if self.alpha(name) < 0
        ]
        if self.pos_weight <= 0:
            problems.append(f"pos_weight {self.pos_weight} is not positive")
        if problems:
            raise ValueError("; ".join(problems))

    def alpha(self, index: str) -> float:
        """Weight of one of `visual_field.INDICES`."""
        return getattr(self, f"alpha_{index}")


class ScreeningObjective:
    """Objective of `imo_jax.train.objectives.Objective` for the networks of `models.semt`.

    Terms: `classification`, and `vfi`, `md`, `psd` (on the scale of `visual_field.scale`) where
    the network regresses and they have a weight. An index that an example lacks is left out of its
    total and its count (2D-ResNet-MT); where surrogates fill it in, it is not lacking (SEMT).

    Args:
      model: the network's config.
      config: weights of the losses.
    """

    def __init__(self, model: SemtConfig, config: ScreeningObjectiveConfig) -> None:
        self._network = network(model)
        self._pos_weight = config.pos_weight
        self.weights = {"classification": 1.0}
        if model.regresses:
            alphas = {name: config.alpha(name) for name in visual_field.INDICES}
            self.weights |= {name: alpha for name, alpha in alphas.items() if alpha > 0}

    def counts(self, batch: Batch) -> dict[str, jax.Array]:
        """Term -> what its total is divided by, from labels alone (see `Objective`)."""
        count = binary_count(batch["glaucoma"], batch["valid"], pos_weight=self._pos_weight)
        counts = {"classification": count}
        for name, j in self._regressed():
            counts[name] = jnp.sum(_counted(batch, j), dtype=jnp.float32)
        return counts

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
        """Losses of a part of a batch: `scan` or `cube`, `glaucoma`, `valid`, `vf`, `has_vf`."""
        del step  # nothing changes in the course of a training
        outputs, new = self._network.apply(
            {"params": params, "batch_stats": batch_stats},
            normalise(batch),
            train=train,
            example_keys=keys.named(example_keys, "layers") if train else None,
            axis_name=axis_name,
            mutable=["batch_stats"],
        )
        accuracy = _accuracy(outputs["logit"], batch)
        return Totals(
            self.losses(outputs, batch), new.get("batch_stats", {}), {"accuracy": accuracy}
        )

    def losses(self, outputs: dict[str, jax.Array], batch: Batch) -> dict[str, jax.Array]:
        """Total of each term.

        Args:
          outputs: `logit` (B,), and `vf` (B, 3) in scaled units where the network regresses.
          batch: the labels.
        """
        labels = batch["glaucoma"], batch["valid"]
        loss = binary_cross_entropy(outputs["logit"], *labels, pos_weight=self._pos_weight)
        totals = {"classification": loss.total}
        target = visual_field.scale(batch["vf"])
        for name, j in self._regressed():
            counted = _counted(batch, j)
            totals[name] = squared_error(outputs["vf"][:, j], target[:, j], counted).total
        return totals

    def _regressed(self) -> list[tuple[str, int]]:
        """The indices that are learned, and where they stand in a visual field."""
        return [(n, j) for j, n in enumerate(visual_field.INDICES) if n in self.weights]


def _counted(batch: Batch, j: int) -> jax.Array:
    """(B,) bool: the examples that have index j of the visual field."""
    return batch["has_vf"][:, j] & batch["valid"]


def _accuracy(logit: jax.Array, batch: Batch) -> Sum:
    """Examples on the right side of probability 1/2."""
    right = ((logit >= 0) == (batch["glaucoma"] == 1)) & batch["valid"]
    return Sum(jnp.sum(right, dtype=jnp.float32), jnp.sum(batch["valid"], dtype=jnp.float32))

"""What a training step minimises: sums of losses, divided once by counts over the whole batch.

    loss = sum_i weight_i * total_i / count_i

Totals and counts are added over devices and accumulation steps before the division. Labels may be
missing unevenly, so a mean of means would weigh examples by the company they are in.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from imo_jax.losses import Sum, mean


class Totals(NamedTuple):
    """What an objective gives for one part of a batch.

    Attributes:
      losses: term -> () float32, summed over the examples of this part that count.
      batch_stats: running statistics after this part.
      extras: name -> Sum of something worth plotting; takes no part in the loss.
    """

    losses: dict[str, jax.Array]
    batch_stats: Any
    extras: dict[str, Sum]


class Objective(Protocol):
    """A loss for the generic step, which knows neither the model nor its labels.

    Attributes:
      weights: term -> weight (static). Only these terms are computed.
    """

    weights: Mapping[str, float]

    def counts(self, batch: dict[str, jax.Array]) -> dict[str, jax.Array]:
        """Term -> () float32, what its total is divided by; a function of the labels alone."""

    def totals(
        self,
        params: Any,
        batch_stats: Any,
        batch: dict[str, jax.Array],
        example_keys: jax.Array,
        *,
        step: jax.Array,
        train: bool,
        axis_name: str | None,
    ) -> Totals:
        """Losses of one part of a batch, summed over its examples.

        Args:
          params, batch_stats: variables of the model.
          batch: arrays with leading axis B.
          example_keys: (B,) typed keys, from which every draw of an example follows.
          step: () int32, updates done so far.
          train: dropout and batch statistics on.
          axis_name: name of the device axis over which batch statistics are shared; None = alone.
        """


def weighted_loss(
    losses: Mapping[str, jax.Array], counts: Mapping[str, jax.Array], weights: Mapping[str, float]
) -> jax.Array:
    """() float32: the sum over terms of weight * total / count; a term that nothing counts is 0."""
    terms = [w * mean(Sum(losses[name], counts[name])) for name, w in weights.items()]
    return jnp.sum(jnp.stack(terms))

"""A loss as two sums, so that devices and accumulation steps may be added before dividing."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Sum(NamedTuple):
    """A loss before its division: float32 scalars `total` and `count`.

    Labels may be missing unevenly over devices, so a mean of means would weigh eyes unequally:
    add totals and counts first (`add`, or `psum` of the tuple), then divide once (`mean`).
    """

    total: jax.Array
    count: jax.Array


def add(*sums: Sum) -> Sum:
    """Sum of the totals and of the counts.

    Args:
      *sums: at least one `Sum`.

    Returns:
      One `Sum`. (`a + b` would concatenate the tuples, as it does for every NamedTuple.)
    """
    return Sum(*(sum(parts) for parts in zip(*sums, strict=True)))


def mean(value: Sum) -> jax.Array:
    """total / count as a float32 scalar; 0 with gradient 0 where nothing was counted."""
    nothing = value.count == 0
    return jnp.where(nothing, 0.0, value.total / jnp.where(nothing, 1.0, value.count))

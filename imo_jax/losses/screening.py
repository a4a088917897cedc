"""Losses of glaucoma screening: binary cross entropy, and squared errors of the visual field."""

import chex
import jax
import jax.numpy as jnp

from imo_jax.losses.sums import Sum


def binary_count(glaucoma: jax.Array, valid: jax.Array, *, pos_weight: float = 1.0) -> jax.Array:
    """What the binary cross entropy is divided by (float32 scalar): summed weights of the class.

    Args:
      glaucoma: (B,) int32, 0 or 1; not looked at where `valid` is False.
      valid: (B,) bool; padding counts nothing.
      pos_weight: weight of an example with glaucoma, beside 1 for a normal one.
    """
    return jnp.sum(_weights(glaucoma, valid, pos_weight))


def binary_cross_entropy(
    logit: jax.Array, glaucoma: jax.Array, valid: jax.Array, *, pos_weight: float = 1.0
) -> Sum:
    """-log P(class), with P(glaucoma) = sigmoid(logit), weighted by class.

    The paper prints the term of the positives alone; the text says binary cross entropy, and
    this is both terms. The mean divides by the summed weights, so `pos_weight` shifts attention
    between the classes without changing the size of the loss.

    Args:
      logit: (B,), any float dtype; the mathematics is float32.
      glaucoma, valid, pos_weight: as in `binary_count`.

    Returns:
      Weighted sum of nats over examples, and the summed weights.

    Raises:
      AssertionError: other shapes.
    """
    chex.assert_rank(logit, 1)
    chex.assert_equal_shape([logit, glaucoma, valid])
    logit = logit.astype(jnp.float32)
    # -log sigmoid(x) = softplus(-x), and -log(1 - sigmoid(x)) = softplus(x)
    nats = jax.nn.softplus(jnp.where(glaucoma == 1, -logit, logit))
    weights = _weights(glaucoma, valid, pos_weight)
    return Sum(total=jnp.sum(jnp.where(valid, weights * nats, 0.0)), count=jnp.sum(weights))


def _weights(glaucoma: jax.Array, valid: jax.Array, pos_weight: float) -> jax.Array:
    """(B,) float32: the weight of each example's class, 0 for padding."""
    return jnp.where(valid, jnp.where(glaucoma == 1, jnp.float32(pos_weight), 1.0), 0.0)


def squared_error(predicted: jax.Array, target: jax.Array, counted: jax.Array) -> Sum:
    """Squared error of one visual field index over the examples that have it.

    Args:
      predicted: (B,), any float dtype; the mathematics is float32.
      target: (B,) float32 on the scale of `predicted`; not looked at where `counted` is False.
      counted: (B,) bool.

    Returns:
      Sum of squares, and the number of examples counted.

    Raises:
      AssertionError: other shapes.
    """
    chex.assert_rank(predicted, 1)
    chex.assert_equal_shape([predicted, target, counted])
    error = jnp.where(counted, predicted.astype(jnp.float32) - target, 0.0)
    return Sum(total=jnp.sum(jnp.square(error)), count=jnp.sum(counted, dtype=jnp.float32))

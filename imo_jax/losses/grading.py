"""Losses of the grading head: cross entropy, and its ordinal variant."""

from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp

from imo_jax.losses.sums import Sum


def _eye_weights(
    grade: jax.Array, has_grade: jax.Array, class_weights: Sequence[float] | None, classes: int
) -> jax.Array:
    """(B,) float32: the weight of each eye's class, 0 where it has no grade."""
    if class_weights is None:
        return has_grade.astype(jnp.float32)
    if len(class_weights) != classes:
        raise ValueError(f"{len(class_weights)} class weights for {classes} grades")
    # (B, G) * (1, G) -> (B,); not a matmul, which a GPU may round to fewer bits
    row = jnp.asarray(class_weights, jnp.float32)[None]
    return jnp.sum(_one_hot(grade, has_grade, classes) * row, axis=-1)


def _one_hot(grade: jax.Array, has_grade: jax.Array, classes: int) -> jax.Array:
    """(B, G) float32; a row of zeros where there is no grade, whatever value stands there."""
    return jax.nn.one_hot(jnp.where(has_grade, grade, -1), classes, dtype=jnp.float32)


def _check_shapes(logits: jax.Array, label: jax.Array, known: jax.Array) -> None:
    """Other shapes would be broadcast, and the loss be another one."""
    chex.assert_rank(logits, 2)
    chex.assert_shape([label, known], logits.shape[:1])


def grading_count(
    grade: jax.Array,
    has_grade: jax.Array,
    *,
    class_weights: Sequence[float] | None = None,
) -> jax.Array:
    """What the grading losses are divided by (float32 scalar): the eyes' summed class weights.

    Args:
      grade: (B,) int32; not looked at where `has_grade` is False.
      has_grade: (B,) bool.
      class_weights: one weight a grade; None weighs every eye 1.
    """
    classes = 0 if class_weights is None else len(class_weights)
    return jnp.sum(_eye_weights(grade, has_grade, class_weights, classes))


def grading_cross_entropy(
    logits: jax.Array,
    grade: jax.Array,
    has_grade: jax.Array,
    *,
    class_weights: Sequence[float] | None = None,
) -> Sum:
    """Cross entropy of the grade, weighted by class.

    Args:
      logits: (B, G), any float dtype; the mathematics is float32.
      grade: (B,) int32 in 0..G-1; any value where `has_grade` is False.
      has_grade: (B,) bool.
      class_weights: G weights >= 0; None = 1 each. The mean divides by the summed weights, so
        weights shift attention between grades without changing the size of the loss.

    Returns:
      Weighted sum of nats over eyes, and the summed weights.

    Raises:
      ValueError: another number of class weights than of grades.
      AssertionError: other shapes.
    """
    _check_shapes(logits, grade, has_grade)
    log_probabilities = jax.nn.log_softmax(logits.astype(jnp.float32), axis=-1)
    weights = _eye_weights(grade, has_grade, class_weights, logits.shape[-1])
    eyes = -jnp.sum(_one_hot(grade, has_grade, logits.shape[-1]) * log_probabilities, axis=-1)
    return Sum(total=jnp.sum(weights * eyes), count=jnp.sum(weights))


def merged_grading(logits: jax.Array, glaucoma: jax.Array, has_glaucoma: jax.Array) -> Sum:
    """Cross entropy of "glaucoma or not" under a head of grades: P(glaucoma) = 1 - P(grade 0).

    For eyes of which it is known whether they have glaucoma, and no grade: all that is asked of the
    grades above normal is their sum.

    Args:
      logits: (B, G) float.
      glaucoma: (B,) int32, 0 or 1; any value where `has_glaucoma` is False.
      has_glaucoma: (B,) bool.

    Returns:
      Sum of nats over eyes, and their number.

    Raises:
      AssertionError: other shapes.
    """
    _check_shapes(logits, glaucoma, has_glaucoma)
    logits = logits.astype(jnp.float32)
    everything = jax.nn.logsumexp(logits, axis=-1)
    log_glaucoma = jax.nn.logsumexp(logits[:, 1:], axis=-1) - everything
    eyes = -jnp.where(glaucoma > 0, log_glaucoma, logits[:, 0] - everything)
    weights = has_glaucoma.astype(jnp.float32)
    return Sum(total=jnp.sum(weights * eyes), count=jnp.sum(weights))


def grading_ordinal(
    logits: jax.Array,
    grade: jax.Array,
    has_grade: jax.Array,
    *,
    class_weights: Sequence[float] | None = None,
) -> Sum:
    """Binary cross entropies of "worse than grade k", k = 0..G-2, summed over k.

    P(y > k) = sum of the softmax over the grades above k, in logarithms, so that a mistake of two
    grades costs more than one of a single grade: it is wrong at two thresholds. With two grades
    this is the cross entropy. The head stays a softmax: its probabilities are used as they are.

    Args, result and what is raised as `grading_cross_entropy`.
    """
    _check_shapes(logits, grade, has_grade)
    logits = logits.astype(jnp.float32)
    classes = logits.shape[-1]
    everything = jax.nn.logsumexp(logits, axis=-1)
    weights = _eye_weights(grade, has_grade, class_weights, classes)
    eyes = jnp.zeros_like(everything)
    for k in range(classes - 1):
        log_above = jax.nn.logsumexp(logits[:, k + 1 :], axis=-1) - everything
        log_not_above = jax.nn.logsumexp(logits[:, : k + 1], axis=-1) - everything
        eyes -= jnp.where(grade > k, log_above, log_not_above)
    return Sum(total=jnp.sum(weights * eyes), count=jnp.sum(weights))

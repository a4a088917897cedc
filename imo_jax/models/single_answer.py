"""Prediction by networks that answer once: segmenters and graders of eyes, and of volumes."""

import functools
from typing import Any

import flax.linen as nn
import jax

from imo_jax.layers.resize import bilinear
from imo_jax.models.inputs import normalise
from imo_jax.models.semt.inputs import normalise as normalise_volumes
from imo_jax.models.uncertainty import uncertainty


@functools.partial(jax.jit, static_argnames=("network",))
def predict(
    variables: Any, batch: dict[str, jax.Array], *, network: nn.Module
) -> dict[str, jax.Array]:
    """Grades or segments a batch of eyes.

    Args:
      variables: {"params", "batch_stats"}.
      batch: `fundus` (B, H, W, 3) uint8; optionally `oct` (B, h, w, D) uint8 and `has_oct` (B,).
      network: called as models/segmenters/networks.py says.

    Returns:
      As `models.imo.sample.predict`, of a network with a single answer (one sample): of a grader
      grade_probabilities (B, grades); of a segmenter probabilities (B, H, W, C),
      sample_probabilities (B, 1, H, W, C), entropy and mutual_information (B, H, W).
    """
    inputs = normalise(batch)
    outputs = network.apply(
        variables, inputs["fundus"], inputs["oct"], inputs["has_oct"], train=False
    )
    if "grade_logits" in outputs:
        return {"grade_probabilities": jax.nn.softmax(outputs["grade_logits"], axis=-1)}
    logits = bilinear(outputs["logits"], batch["fundus"].shape[1:3])
    # (B, H, W, C) -> (B, 1, H, W, C)
    return uncertainty(jax.nn.softmax(logits, axis=-1)[:, None])


@functools.partial(jax.jit, static_argnames=("network",))
def predict_volumes(
    variables: Any, batch: dict[str, jax.Array], *, network: nn.Module
) -> dict[str, jax.Array]:
    """What models/semt/networks.py says of a batch with `scan` or `cube` uint8."""
    return network.apply(variables, normalise_volumes(batch), train=False)

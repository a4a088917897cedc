"""The networks that IMO is compared with: segmenters and graders, called and asked alike."""

import functools
from typing import Any

import flax.linen as nn
import jax

from imo_jax.layers.resize import bilinear
from imo_jax.models.graders.config import GraderConfig
from imo_jax.models.graders.grader import Grader
from imo_jax.models.inputs import normalise
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.models.segmenters.networks import network as segmenter
from imo_jax.models.uncertainty import uncertainty

BaselineConfig = SegmenterConfig | GraderConfig

# Config of a network -> what makes its Flax module. All are called as segmenters/networks.py says.
MODULES = {SegmenterConfig: segmenter, GraderConfig: Grader}


def module(config: BaselineConfig) -> nn.Module:
    """The Flax module of a segmenter's or grader's config."""
    return MODULES[type(config)](config)


@functools.partial(jax.jit, static_argnames=("config",))
def predict_baseline(
    variables: Any, batch: dict[str, jax.Array], *, config: BaselineConfig
) -> dict[str, jax.Array]:
    """Grades or segments a batch of eyes.

    Args:
      variables: {"params", "batch_stats"}.
      batch: `fundus` (B, H, W, 3) uint8; optionally `oct` (B, h, w, D) uint8 and `has_oct` (B,).
      config: of the network.

    Returns:
      As `models.imo.sample.predict`, of a network with a single answer (one sample): of a grader
      grade_probabilities (B, grades); of a segmenter probabilities (B, H, W, C),
      sample_probabilities (B, 1, H, W, C), entropy and mutual_information (B, H, W).
    """
    inputs = normalise(batch)
    outputs = module(config).apply(
        variables, inputs["fundus"], inputs["oct"], inputs["has_oct"], train=False
    )
    if "grade_logits" in outputs:
        return {"grade_probabilities": jax.nn.softmax(outputs["grade_logits"], axis=-1)}
    logits = bilinear(outputs["logits"], batch["fundus"].shape[1:3])
    # (B, H, W, C) -> (B, 1, H, W, C)
    return uncertainty(jax.nn.softmax(logits, axis=-1)[:, None])

"""Prediction of a batch of B-scans, or of cubes: one jit."""

import functools
from typing import Any

import jax

from imo_jax import visual_field
from imo_jax.models.semt.config import SemtConfig
from imo_jax.models.semt.inputs import normalise
from imo_jax.models.semt.networks import network


@functools.partial(jax.jit, static_argnames=("config",))
def predict_batch(variables: Any, pixels: dict[str, Any], *, config: SemtConfig) -> dict[str, Any]:
    """`probability` of glaucoma (B,), `features` (B, C), `cam` (B, ...), and, where the network
    regresses, `vf` (B, 3) in percent and dB.

    Args:
      variables: {"params", "batch_stats"}.
      pixels: `scan` (B, H, W, 3) or `cube` (B, slices, depth, width), uint8.
      config: of the network.
    """
    outputs = network(config).apply(variables, normalise(pixels), train=False)
    said = {"probability": jax.nn.sigmoid(outputs["logit"])}
    said |= {name: outputs[name] for name in ("features", "cam")}
    if "vf" in outputs:
        said["vf"] = visual_field.unscale(outputs["vf"])
    return said

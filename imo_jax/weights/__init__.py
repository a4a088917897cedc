"""Weights from PyTorch and back: rules by name, and an error that lists whatever does not fit."""

from imo_jax.weights.files import read_state_dict
from imo_jax.weights.imo import from_torch as load_imo
from imo_jax.weights.imo import to_torch
from imo_jax.weights.pretrained import load_pretrained
from imo_jax.weights.resnet import load_resnet, resnet_to_torch
from imo_jax.weights.rules import Rule, WeightsError

__all__ = [
    "Rule", "WeightsError", "load_imo", "load_pretrained", "load_resnet", "read_state_dict",
    "resnet_to_torch", "to_torch",
]  # fmt: skip

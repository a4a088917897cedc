"""Weights of SEMT's multi-task network for its PyTorch twin; imports jax, unlike the twin."""

from collections.abc import Mapping

import numpy as np

from imo_jax.weights.resnet import resnet_to_torch
from imo_jax.weights.rules import Rule, to_state


def to_torch(variables: Mapping) -> dict[str, np.ndarray]:
    """State dict (float32 arrays) of `twins.semt.MultiTaskTwin`.

    Args:
      variables: {"params", "batch_stats"} of models.semt's "multi_task". Trees of the same
        structure with other arrays in it, gradients say, go over in the same way.
    """
    backbone = {f"backbone.{name}": array for name, array in resnet_to_torch(variables).items()}
    ends = "_maps"
    branches = [name.removesuffix(ends) for name in variables["params"] if name.endswith(ends)]
    rules = [rule for name in branches for rule in _branch(name)]
    return backbone | to_state(variables, rules + _linear("classifier", "classifier"))


def _branch(name: str) -> list[Rule]:
    module = f"{name}_maps"
    found = _linear(f"heads.{name}", name)
    for i in range(2):
        conv, norm = f"maps.{name}.conv{i}", f"maps.{name}.norm{i}"
        found.append(Rule(f"{conv}.weight", ("params", module, f"conv{i}", "kernel"), "conv"))
        for collection, leaf, torch_name in (
            ("params", "scale", "weight"),
            ("params", "bias", "bias"),
            ("batch_stats", "mean", "running_mean"),
            ("batch_stats", "var", "running_var"),
        ):
            path = (collection, module, f"norm{i}", leaf)
            found.append(Rule(f"{norm}.{torch_name}", path, "vector"))
    return found


def _linear(name: str, module: str) -> list[Rule]:
    return [
        Rule(f"{name}.weight", ("params", module, "kernel"), "linear"),
        Rule(f"{name}.bias", ("params", module, "bias"), "vector"),
    ]

"""Which of IMO's parameters decay."""

import dataclasses

import jax
import numpy as np
import pytest

from imo_jax.models.imo import IMO, SIZES
from imo_jax.train.weight_decay import DECAY_MASKS
from imo_jax.weights.imo import rules

CONFIG = dataclasses.replace(
    SIZES["tiny"], encoder=None, auxiliary_head=True, shared_channel_attention=False
)


@pytest.fixture(scope="module")
def params():
    fundus = np.zeros((1, 32, 32, 3), np.float32)
    volume = np.zeros((1, 8, 8, CONFIG.oct_slices), np.float32)
    return jax.eval_shape(lambda: IMO(CONFIG).init(jax.random.key(0), fundus, volume))["params"]


def paths(mask, value):
    leaves, _ = jax.tree_util.tree_flatten_with_path(mask)
    return {"/".join(part.key for part in path) for path, flag in leaves if flag is value}


def test_kernels_decay_and_nothing_else(params):
    mask = DECAY_MASKS["kernels"](params)
    assert {path.split("/")[-1] for path in paths(mask, True)} == {"kernel"}
    assert {path.split("/")[-1] for path in paths(mask, False)} == {
        "bias", "scale", "shift", "layer_scale", "label_embedding", "frequencies",
    }  # fmt: skip


def test_stacked_biases_and_norms_do_not_decay():
    """Blocks that are scanned stack their vectors to matrices."""
    stacked = {"block": {"bias": np.zeros((2, 3)), "kernel": np.zeros((2, 3, 3))},
               "mlp_norm": {"scale": np.zeros((2, 3)), "kernel": np.zeros((2, 3))}}  # fmt: skip
    assert DECAY_MASKS["kernels"](stacked) == {
        "block": {"bias": False, "kernel": True},
        "mlp_norm": {"scale": False, "kernel": False},
    }


def test_released_mask_is_that_of_the_released_names(params):
    """0 only where the PyTorch name contains "norm"; the rules know every name."""
    mask = DECAY_MASKS["released"](params)
    named = {
        "/".join(rule.path[1:]): rule.name for rule in rules(CONFIG) if rule.path[0] == "params"
    }
    assert paths(mask, True) | paths(mask, False) == set(named)
    assert paths(mask, False) == {path for path, name in named.items() if "norm" in name}
    assert "fundus_encoder/backbone/stem_norm/scale" in paths(mask, True)  # as released, a defect

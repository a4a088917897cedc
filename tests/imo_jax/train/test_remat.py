"""Blocks computed again for the gradient: the same gradients and statistics, from less memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.screening.methods import METHODS
from imo_jax.models.graders.config import GraderConfig
from imo_jax.models.imo import IMOConfig
from imo_jax.models.registry import kind_of
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.models.semt import SemtConfig
from imo_jax.models.variables import variable_shapes
from imo_jax.train.imo_objective import ImoObjective, ObjectiveConfig
from imo_jax.train.keys import example_keys
from imo_jax.train.remat import compiler_options, recomputed_blocks
from tests.imo_jax.predictor.conftest import random_variables

MODEL = IMOConfig(
    backbone_depths=(1, 1, 2, 1), backbone_widths=(8, 8, 8, 8), drop_path=0.5, feature_dim=16,
    norm_groups=2, oct_slices=4, oct_blocks=1, channel_attention_reduction=2, grade_hidden=8,
    grade_blocks=1, se_reduction=4, decoder_layers=2, decoder_heads=2, decoder_mlp=32,
    time_frequencies=2, time_dim=8, auxiliary_head=True, signal_scale=1.0,
)  # fmt: skip


def batch_of(eyes, side):
    rng = np.random.default_rng(0)
    there = np.ones(eyes, bool)
    return {
        "fundus": rng.integers(0, 256, (eyes, side, side, 3), np.uint8),
        "oct": rng.integers(0, 256, (eyes, 8, 8, 4), np.uint8),
        "mask": rng.integers(0, 3, (eyes, side, side)).astype(np.int32),
        "grade": np.arange(eyes, dtype=np.int32) % 3,
        "has_oct": np.arange(eyes) != 1, "has_mask": there, "has_grade": there, "valid": there,
        "index": np.arange(eyes, dtype=np.uint32),
    }  # fmt: skip


def loss_and_gradient(remat):
    """Compiled: (variables, batch) -> (loss, running statistics), gradient."""
    objective = ImoObjective(MODEL, ObjectiveConfig(), train_steps=10)

    def loss(params, batch_stats, batch):
        keys = example_keys(jax.random.key(7), jnp.int32(3), batch["index"])
        with recomputed_blocks(remat):
            totals = objective.totals(
                params, batch_stats, batch, keys, step=jnp.int32(3), train=True, axis_name=None
            )
        return sum(totals.losses.values()), totals.batch_stats

    return jax.jit(jax.value_and_grad(loss, has_aux=True))


def test_the_same_gradients_and_statistics_from_less_memory():
    variables, batch = random_variables(MODEL, 0, size=0.3), batch_of(2, 64)
    compiled = {
        remat: loss_and_gradient(remat)
        .lower(variables["params"], variables["batch_stats"], batch)
        .compile(compiler_options(remat))
        for remat in (False, True)
    }
    (loss, statistics), gradient = compiled[False](
        variables["params"], variables["batch_stats"], batch
    )
    again = compiled[True](variables["params"], variables["batch_stats"], batch)
    for one, other in zip(
        jax.tree.leaves(again), jax.tree.leaves(((loss, statistics), gradient)), strict=True
    ):
        scale = np.abs(other).max() + 1e-6
        np.testing.assert_allclose(one / scale, other / scale, atol=2e-5)
    kept, less = (
        compiled[remat].memory_analysis().temp_size_in_bytes for remat in (False, True)
    )
    assert less < 0.7 * kept


def recomputed(model):
    """Blocks of a network that are computed again, as its traced training tells."""
    network, shapes = kind_of(model).module(model), variable_shapes(model)
    if kind_of(model).name == "semt":
        images = [jnp.zeros((1, 32, 32, 3) if model.input == "scan" else (1, 8, 8, 8, 1))]
    else:
        images = [jnp.zeros((1, 64, 64, 3)), None, None]
    keys = example_keys(jax.random.key(0), jnp.int32(0), np.zeros(1, np.uint32))

    def apply(variables):
        method = {"method": "encode"} if isinstance(model, IMOConfig) else {}
        with recomputed_blocks(True):
            return network.apply(
                variables, *images, train=True, example_keys=keys, mutable=["batch_stats"], **method
            )

    names = [str(equation.primitive) for equation in jax.make_jaxpr(apply)(shapes).eqns]
    return sum(name in ("checkpoint", "remat2", "remat") for name in names)


@pytest.mark.parametrize(
    ("model", "blocks"),
    [(MODEL, 5), (IMOConfig(encoder="efficientnet_lite0"), 16)],  # of the photograph's encoder
)
def test_blocks_of_imo(model, blocks):
    assert recomputed(model) >= blocks + model.grade_blocks


@pytest.mark.parametrize(
    ("network", "blocks"),
    [("segformer", 4), ("segnext", 4), ("deeplab", 4), ("unet", 5), ("unetpp", 10), ("upernet", 4)],
)
def test_blocks_of_segmenters(network, blocks):
    assert recomputed(SegmenterConfig(network=network, size="tiny")) >= blocks


@pytest.mark.parametrize("network", ["resnet", "vit", "beit", "efficientvit", "convnext"])
def test_blocks_of_graders(network):
    assert recomputed(GraderConfig(network=network, size="tiny")) >= 2


def test_blocks_of_screening_networks():
    for name in {method.network for method in METHODS.values()} - {"cnn3d"}:
        assert recomputed(SemtConfig(network=name, stage_sizes=(1, 1), width=4)) >= 2

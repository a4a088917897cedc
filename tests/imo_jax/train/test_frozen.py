"""An encoder with a rate of 0: nothing of it moves, in a whole step, and it computes as in evaluation."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.models.graders.config import GraderConfig
from imo_jax.models.registry import kind_of
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.train.frozen import as_in_evaluation, without_gradient
from imo_jax.train.imo_objective import ImoObjective, ObjectiveConfig
from imo_jax.train.optimiser import OptimiserConfig, learning_rate, make_optimiser
from imo_jax.train.packing import decays, unpack_all
from imo_jax.train.state import create
from imo_jax.train.step import train_step
from imo_jax.train.weight_decay import DECAY_MASKS
from tests.imo_jax.predictor.conftest import random_variables
from tests.imo_jax.train.test_remat import MODEL, batch_of

ENCODER = ("fundus_encoder", "backbone")
IMO = dataclasses.replace(MODEL, encoder="resnet10_w16")
OPTIMISER = OptimiserConfig(encoder_rate=0.0, weight_decay=0.1, warmup_steps=0)


def at(tree, path):
    return functools.reduce(lambda inner, name: inner[name], path, tree)


def without(tree, path):
    first, *rest = path
    inner = without(tree[first], rest) if rest else {}
    return {**tree, first: inner}


def test_a_step_moves_all_but_the_encoder():
    variables = random_variables(IMO, 0, size=0.2)
    rate = learning_rate(OPTIMISER, 10)
    adamw = make_optimiser(OPTIMISER, rate, decays, ENCODER)
    state = create(
        variables, adamw, decay_mask=DECAY_MASKS[OPTIMISER.weight_decay_on], keep_ema=True
    )
    step = functools.partial(
        train_step, objective=ImoObjective(IMO, ObjectiveConfig(), train_steps=10),
        optimiser=adamw, rate=rate, key=jax.random.key(0), ema_decay=0.9, frozen=ENCODER,
    )  # fmt: skip
    batch = {name: x[None] for name, x in batch_of(2, 64).items()}
    new, metrics = jax.jit(step)(state, batch)
    assert np.isfinite(metrics["loss"]) and metrics["gradient_norm"] > 0
    before = {"params": variables["params"], "batch_stats": variables["batch_stats"]}
    after = unpack_all({"params": new.params, "batch_stats": new.batch_stats})
    for kind in before:
        jax.tree.map(
            np.testing.assert_array_equal, at(after[kind], ENCODER), at(before[kind], ENCODER)
        )
        moved = [
            bool(np.any(np.asarray(one) != other))
            for one, other in zip(
                jax.tree.leaves(without(after[kind], ENCODER)),
                jax.tree.leaves(without(before[kind], ENCODER)),
                strict=True,
            )
        ]
        assert np.mean(moved) > 0.8


@pytest.mark.parametrize(
    "model",
    [SegmenterConfig(network="unet", size="tiny"), GraderConfig(network="convnext", size="tiny")],
    ids=["batch norms", "drop-path"],
)
def test_the_encoder_computes_as_in_evaluation(model):
    """What a network with nothing else that differs says in training is what it says in evaluation."""
    kind = kind_of(model)
    network, variables = kind.module(model), random_variables(model, 0, size=0.2)
    image = jnp.asarray(np.random.default_rng(0).normal(size=(2, 64, 64, 3)), jnp.float32)
    keys = jax.random.split(jax.random.key(0), 2)

    def outputs(frozen, train):
        with as_in_evaluation(frozen):
            _, found = network.apply(
                variables, image, None, None, train=train, example_keys=keys if train else None,
                mutable=["batch_stats", "intermediates"],
                capture_intermediates=lambda module, _: module.path == kind.backbone,
            )  # fmt: skip
        return found["intermediates"]["backbone"]["__call__"][0].maps

    seen = {name: jax.jit(outputs, static_argnums=(0, 1))(*name) for name in
            [(kind.backbone, True), (None, False), (None, True)]}  # fmt: skip
    for stride, frozen in seen[kind.backbone, True].items():
        np.testing.assert_allclose(frozen, seen[None, False][stride], atol=1e-6)
    assert any(np.abs(seen[None, True][s] - m).max() > 1e-3 for s, m in seen[None, False].items())


def test_constants_have_no_gradient():
    params = {
        "encoder": {"backbone": {"w": jnp.ones(2)}, "head": jnp.ones(2)},
        "other": jnp.ones(2),
    }

    def loss(params):
        stopped = without_gradient(params, ("encoder", "backbone"))
        return sum(jnp.sum(x * x) for x in jax.tree.leaves(stopped))

    found = jax.grad(loss)(params)
    np.testing.assert_array_equal(found["encoder"]["backbone"]["w"], 0)
    np.testing.assert_array_equal(found["encoder"]["head"], 2)
    np.testing.assert_array_equal(found["other"], 2)
    assert without_gradient(params, None) is params

"""The screening objective: its terms by hand, then whole training steps on one and two devices."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from imo_jax import visual_field
from imo_jax.models.semt.config import SemtConfig
from imo_jax.models.semt.networks import network
from imo_jax.train import parallel
from imo_jax.train.packing import unpack
from imo_jax.train.screening_objective import ScreeningObjective, ScreeningObjectiveConfig
from imo_jax.train.state import create
from imo_jax.train.step import train_step
from imo_jax.train.weight_decay import kernels_only

SINGLE = SemtConfig(network="resnet", stage_sizes=(1,), width=4, stem="small")
MODEL = dataclasses.replace(SINGLE, network="multi_task", regression_width=4, regression_branches=1)
EXAMPLES, SIZE = 4, 16


def make_batch():
    """Four triplets; the first two (one device of two) have three indices, the others only one."""
    rng = np.random.default_rng(0)
    return {
        "scan": rng.integers(0, 256, (EXAMPLES, SIZE, SIZE, 3)).astype(np.uint8),
        "glaucoma": np.array([0, 1, 1, 0], np.int32),
        "vf": np.array([[98, 0, 1.5], [0, -8, 0], [0, 0, 0], [60, 5, 9]], np.float32),
        "has_vf": np.array([[1, 1, 1], [0, 1, 0], [0, 0, 0], [0, 0, 0]], bool),
        "valid": np.ones(EXAMPLES, bool),
        "index": np.arange(EXAMPLES, dtype=np.uint32),
    }


BATCH = make_batch()
OUTPUTS = {
    "logit": np.array([-1.0, 2.0, -0.5, -3.0], np.float32),
    "vf": np.random.default_rng(1).random((EXAMPLES, 3)).astype(np.float32),
}


def objective(model=MODEL, **settings):
    return ScreeningObjective(model, ScreeningObjectiveConfig(**settings))


@functools.cache
def variables(model=MODEL):
    """Random variables without a compilation."""
    scan = np.zeros((1, SIZE, SIZE, 3), np.float32)
    shapes = jax.eval_shape(lambda: network(model).init(jax.random.key(0), scan, train=False))
    rng = np.random.default_rng(1)
    draw = lambda leaf: (0.5 * rng.normal(size=leaf.shape)).astype(np.float32)
    ones = lambda leaf: np.ones(leaf.shape, np.float32)
    return {
        "params": jax.tree.map(draw, shapes["params"]),
        "batch_stats": jax.tree.map(ones, shapes["batch_stats"]),
    }


def test_terms_by_hand():
    own = objective()
    totals, counts = own.losses(OUTPUTS, BATCH), own.counts(BATCH)
    signs = np.array([-1, 1, 1, -1])
    np.testing.assert_allclose(
        totals["classification"], np.log1p(np.exp(-signs * OUTPUTS["logit"])).sum(), rtol=1e-6
    )
    target, predicted = visual_field.scale(BATCH["vf"]), OUTPUTS["vf"]
    errors = np.square(predicted - target)
    np.testing.assert_allclose(totals["vfi"], errors[0, 0], rtol=1e-5)
    np.testing.assert_allclose(totals["md"], errors[0, 1] + errors[1, 1], rtol=1e-5)
    np.testing.assert_allclose(totals["psd"], errors[0, 2], rtol=1e-5)
    assert counts == {"classification": 4, "vfi": 1, "md": 2, "psd": 1}
    assert own.weights == {"classification": 1.0, "vfi": 1.0, "md": 1.0, "psd": 1.0}


def test_padding_counts_nothing():
    own = objective()
    first = BATCH | {"valid": np.array([False, True, True, True])}
    assert own.counts(first) == {"classification": 3, "vfi": 0, "md": 1, "psd": 0}
    assert own.losses(OUTPUTS, first)["vfi"] == 0


def test_every_setting_changes_what_is_learned():
    assert objective(alpha_md=0.5, alpha_psd=0.0).weights == {
        "classification": 1.0, "vfi": 1.0, "md": 0.5,
    }  # fmt: skip
    assert set(objective(alpha_vfi=0.0).counts(BATCH)) == {"classification", "md", "psd"}
    heavy = objective(pos_weight=3.0)
    assert heavy.counts(BATCH)["classification"] == 8
    plain = objective().losses(OUTPUTS, BATCH)["classification"]
    assert heavy.losses(OUTPUTS, BATCH)["classification"] > plain + 1
    assert objective(SINGLE).weights == {"classification": 1.0}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"alpha_vfi": -1.0, "alpha_psd": -2.0}, "alpha_vfi -1.0 is negative; alpha_psd -2.0"),
        ({"pos_weight": 0.0}, "pos_weight 0.0 is not positive"),
    ],
)
def test_bad_settings_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        objective(**settings)


def training_step(model=MODEL):
    """Plain gradient descent, whose update shows the gradient and nothing else."""
    sgd = optax.sgd(0.1)
    step = functools.partial(
        train_step, objective=objective(model, alpha_md=0.5), optimiser=sgd, rate=lambda k: 0.1,
        key=jax.random.key(5),
    )  # fmt: skip
    return create(variables(model), sgd, decay_mask=kernels_only, keep_ema=False), step


def test_two_devices_give_the_update_of_one():
    """Batch norms, and visual fields of which the second device has none at all."""
    state, step = training_step()
    step = parallel.over_devices(functools.partial(step, axis_name=parallel.AXIS))
    results = []
    for devices in (1, 2):
        new, metrics = step(parallel.replicate(state, devices), parallel.shard(BATCH, devices))
        results.append((parallel.unreplicate(new), parallel.fetch([metrics])[0]))
    (one, metrics_one), (two, metrics_two) = results
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    for name, value in metrics_one.items():
        np.testing.assert_allclose(metrics_two[name], value, rtol=1e-5, err_msg=name)
    assert set(metrics_one) == {
        "loss", "loss_classification", "loss_vfi", "loss_md", "loss_psd", "accuracy",
        "gradient_norm", "param_norm", "update_norm", "learning_rate",
    }  # fmt: skip
    terms = [metrics_one[f"loss_{name}"] for name in ("classification", "vfi", "md", "psd")]
    np.testing.assert_allclose(metrics_one["loss"], np.dot(terms, [1, 1, 0.5, 1]), rtol=1e-5)
    moved = jax.tree.map(
        lambda a, b: float(np.abs(a - b).max()), unpack(one.params), variables()["params"]
    )
    still = [path for path, x in jax.tree_util.tree_leaves_with_path(moved) if x == 0]
    assert not still, f"no gradient reaches {still}"


def test_a_network_of_one_task_learns_the_class():
    state, step = training_step(SINGLE)
    new, metrics = jax.jit(step)(state, {name: value[None] for name, value in BATCH.items()})
    assert float(metrics["loss"]) == float(metrics["loss_classification"])
    assert int(new.step) == 1 and "loss_vfi" not in metrics
    assert jnp.isfinite(metrics["loss"])

"""The generic step: devices, accumulation, counts, metrics, and the average."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from imo_jax.train import parallel
from imo_jax.train.packing import pack, unpack
from imo_jax.train.weight_decay import kernels_only

RUNS, STEPS = {}, {}


def run(toy, num_devices, accumulation, steps=3, **settings):
    """State and metrics after some steps; the state on the host. Each run is done once."""
    name = (num_devices, accumulation, steps, str(settings))
    if name not in RUNS:
        RUNS[name] = new_run(toy, num_devices, accumulation, steps, settings)
    return RUNS[name]


def new_run(toy, num_devices, accumulation, steps, settings):
    state, step = toy.make_run(**settings)
    step = STEPS.setdefault(str(settings), parallel.over_devices(bind_axis(step)))
    state = parallel.replicate(state, num_devices)
    for k in range(steps):
        batch = without_id(toy.make_batch(k))
        state, metrics = step(state, parallel.shard(batch, num_devices, accumulation))
    return parallel.unreplicate(state), parallel.fetch([metrics])[0]


def bind_axis(step):
    return functools.partial(step, axis_name=parallel.AXIS)


def without_id(batch):
    return {name: value for name, value in batch.items() if name != "id"}


def close(a, b, tolerance):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=0, atol=tolerance)


def apart(a, b):
    return max(
        float(np.max(np.abs(np.asarray(x) - np.asarray(y))))
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


@pytest.mark.parametrize("accumulation", [1, 2])
def test_two_devices_give_the_update_of_one(toy, accumulation):
    one, metrics_one = run(toy, 1, accumulation)
    two, metrics_two = run(toy, 2, accumulation)
    close(one, two, 1e-6)
    close(metrics_one, metrics_two, 2e-6)


def test_without_synchronised_statistics_they_differ(toy):
    """The comparison above could fail."""
    state, step = toy.make_run()
    objective = step.keywords["objective"]

    class Alone(type(objective)):
        def totals(self, *args, axis_name, **kwargs):
            return super().totals(*args, axis_name=None, **kwargs)

    bound = functools.partial(step, objective=Alone(objective.model), axis_name=parallel.AXIS)
    batch = parallel.shard(without_id(toy.make_batch(0)), 2)
    new, _ = parallel.over_devices(bound)(parallel.replicate(state, 2), batch)
    reference, _ = run(toy, 1, 1, steps=1)
    assert apart(parallel.unreplicate(new).batch_stats, reference.batch_stats) > 1e-3


@pytest.mark.parametrize("accumulation", [2, 4])
def test_accumulation_changes_nothing_without_batch_norm(toy, accumulation):
    whole, metrics_whole = run(toy, 1, 1, norm=False)
    parts, metrics_parts = run(toy, 1, accumulation, norm=False)
    close(whole, parts, 1e-6)
    close(metrics_whole, metrics_parts, 2e-6)


def test_counts_are_summed_before_dividing(toy):
    """The loss of a batch whose labels are missing unevenly is that of the labelled examples."""
    state, step = toy.make_run(norm=False)
    objective, step = step.keywords["objective"], jax.jit(step)
    batch = without_id(toy.make_batch(0))
    batch["has_a"] = np.array([1, 1, 1, 0, 0, 0, 0, 1], bool)
    _, split = step(state, jax.tree.map(lambda x: x.reshape(2, 4, *x.shape[1:]), batch))
    values = []
    for i in np.flatnonzero(batch["has_a"]):  # one labelled example at a time
        only = dict(batch, has_a=np.arange(8) == i)
        _, metrics = step(state, jax.tree.map(lambda x: x[None], only))
        values.append(float(metrics["loss_a"]))
    assert objective.weights == {"a": 1.0, "b": 0.5}
    np.testing.assert_allclose(split["loss_a"], np.mean(values), rtol=1e-6)
    np.testing.assert_allclose(split["loss"], split["loss_a"] + 0.5 * split["loss_b"], rtol=1e-6)


def test_a_term_that_nothing_counts_is_zero(toy):
    state, step = toy.make_run(norm=False, weight_decay=0.0)
    batch = without_id(toy.make_batch(0))
    batch["has_b"] = np.zeros(8, bool)
    new, metrics = jax.jit(step)(state, jax.tree.map(lambda x: x[None], batch))
    assert float(metrics["loss_b"]) == 0
    before, after = unpack(state.params), unpack(new.params)
    close(after["value"], before["value"], 0)  # only term b reaches that layer
    assert apart(after["classes"], before["classes"]) > 1e-9
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(new))


def test_gradient_is_that_of_the_weighted_loss(toy):
    """SGD without momentum shows the gradient; compared with numerical differences."""
    state, step = toy.make_run(norm=False, stochastic=False)
    batch = jax.tree.map(lambda x: jnp.asarray(x)[None], without_id(toy.make_batch(0)))
    sgd = optax.sgd(1.0)
    plain = jax.jit(functools.partial(step, optimiser=sgd))
    state = state.replace(opt_state=sgd.init(state.params))
    new, metrics = plain(state, batch)
    before = unpack(state.params)
    gradient = jax.tree.map(jnp.subtract, before, unpack(new.params))
    kernel, direction = before["classes"]["kernel"], gradient["classes"]["kernel"]
    losses = []
    for sign in (1, -1):
        moved = dict(before["classes"], kernel=kernel + sign * 1e-2 * direction)
        params = pack(before | {"classes": moved}, kernels_only)
        losses.append(float(plain(state.replace(params=params), batch)[1]["loss"]))
    slope = (losses[0] - losses[1]) / 2e-2
    np.testing.assert_allclose(slope, float(jnp.sum(direction**2)), rtol=1e-2)
    np.testing.assert_allclose(
        metrics["gradient_norm"],
        np.sqrt(sum((x**2).sum() for x in jax.tree.leaves(gradient))),
        rtol=1e-5,
    )
    np.testing.assert_allclose(metrics["update_norm"], metrics["gradient_norm"], rtol=1e-5)


def test_metrics_of_a_step(toy):
    state, metrics = run(toy, 2, 1, steps=1)
    assert set(metrics) == {
        "loss", "loss_a", "loss_b", "accuracy", "gradient_norm", "param_norm", "update_norm",
        "learning_rate",
    }  # fmt: skip
    norm = np.sqrt(sum(np.sum(x.astype(np.float64) ** 2) for x in jax.tree.leaves(state.params)))
    np.testing.assert_allclose(metrics["param_norm"], norm, rtol=1e-6)
    np.testing.assert_allclose(metrics["learning_rate"], 1e-2 * 1e-6, rtol=1e-4)
    assert 0 <= metrics["accuracy"] <= 1


@pytest.mark.parametrize(
    "settings", [{"seed": 1}, {"weights": {"a": 1.0, "b": 2.0}}, {"stochastic": False}]
)
def test_settings_change_the_update(toy, settings):
    assert apart(run(toy, 1, 1)[0].params, run(toy, 1, 1, **settings)[0].params) > 1e-5


@pytest.mark.parametrize("settings", [{"ema_decay": 0.05}, {"ema_start": "copy"}])
def test_settings_change_the_average_only(toy, settings):
    base, other = run(toy, 1, 1)[0], run(toy, 1, 1, **settings)[0]
    close(base.params, other.params, 0)
    assert apart(base.ema["params"], other.ema["params"]) > 1e-5


def test_no_average_where_none_is_kept(toy):
    assert run(toy, 1, 1, steps=1, ema=False)[0].ema is None

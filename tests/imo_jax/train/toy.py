"""A small model and objective with what can go wrong over devices, and a run of it.

BatchNorm, dropout, and two losses whose labels are missing unevenly. As a script
it is a run that may be killed: `python toy.py --workdir=DIR --steps=N [--seconds_per_step=S]`.
"""

import argparse
import contextlib
import functools
import pathlib
import sys
import time

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.checkpoints import Checkpoints
from imo_jax.layers.norms import BatchNorm
from imo_jax.layers.stochastic import Dropout
from imo_jax.losses import Sum
from imo_jax.train import keys, loop, parallel, processes
from imo_jax.train.objectives import Totals
from imo_jax.train.optimiser import OptimiserConfig, learning_rate, make_optimiser
from imo_jax.train.packing import decays
from imo_jax.train.state import create
from imo_jax.train.step import train_step
from imo_jax.train.weight_decay import kernels_only

BATCH = 8


class Toy(nn.Module):
    """(B, 4, 4, 2) -> (B, 3) and (B,)."""

    stochastic: bool = True
    norm: bool = True

    @nn.compact
    def __call__(self, x, *, train, example_keys=None, mask=None, axis_name=None):
        x = nn.Dense(8, use_bias=not self.norm, name="hidden")(x)
        if self.norm:
            x = BatchNorm(name="norm")(x, train=train, mask=mask, axis_name=axis_name)
        x = jnp.tanh(x).mean(axis=(1, 2))
        x = Dropout(0.3, name="dropout")(x, example_keys if self.stochastic else None)
        return nn.Dense(3, name="classes")(x), nn.Dense(1, name="value")(x)[:, 0]


class ToyObjective:
    """Cross entropy where has_a, squared error where has_b."""

    def __init__(self, model, weights=None):
        self.model = model
        self.weights = weights or {"a": 1.0, "b": 0.5}

    def counts(self, batch):
        return {
            "a": jnp.sum(batch["has_a"], dtype=jnp.float32),
            "b": jnp.sum(batch["has_b"], dtype=jnp.float32),
        }

    def totals(self, params, batch_stats, batch, example_keys, *, step, train, axis_name):
        (logits, value), new = self.model.apply(
            {"params": params, "batch_stats": batch_stats},
            batch["x"],
            train=train,
            example_keys=keys.named(example_keys, "layers"),
            mask=batch["has_x"],
            axis_name=axis_name,
            mutable=["batch_stats"],
        )
        a = -jnp.take_along_axis(jax.nn.log_softmax(logits), batch["a"][:, None], axis=1)[:, 0]
        b = jnp.square(value - batch["b"])
        losses = {
            "a": jnp.sum(jnp.where(batch["has_a"], a, 0.0)),
            "b": jnp.sum(jnp.where(batch["has_b"], b, 0.0)),
        }
        right = (jnp.argmax(logits, axis=-1) == batch["a"]) & batch["has_a"]
        hits = Sum(jnp.sum(right, dtype=jnp.float32), self.counts(batch)["a"])
        return Totals(losses, new.get("batch_stats", {}), {"accuracy": hits})


def make_batch(step, size=BATCH, missing=True):
    """Batch of a step: a function of the step; most labels of its second half are missing."""
    rng = np.random.default_rng(step)
    late = np.arange(size) >= size // 2
    there = (lambda share: rng.random(size) > share * late) if missing else (lambda _: late | True)
    x = rng.normal(size=(size, 4, 4, 2)).astype(np.float32)
    return {
        "x": x,
        "a": (x.mean(axis=(1, 2, 3)) > 0).astype(np.int32),
        "b": x[:, 0, 0, 0].copy(),
        "has_a": there(0.9),
        "has_b": there(0.6),
        "has_x": there(0.5),
        "index": (step * size + np.arange(size)).astype(np.uint32),
        "id": [f"eye{step}_{i}" for i in range(size)],
    }


def batches(start, seconds=0.0, make=make_batch):
    """This process's share of the batches."""
    index, count = processes.place()
    share = slice(index * BATCH // count, (index + 1) * BATCH // count)
    step = start
    while True:
        time.sleep(seconds)
        yield {name: value[share] for name, value in make(step).items()}
        step += 1


def initial_variables(model, seed):
    """Without a compilation: numpy draws what jax would."""
    x = jnp.zeros((2, 4, 4, 2), jnp.float32)
    shapes = jax.eval_shape(functools.partial(model.init, train=False), jax.random.key(0), x)
    rng = np.random.default_rng(seed)
    draw = lambda leaf: rng.normal(size=leaf.shape).astype(np.float32)
    variables = {"params": jax.tree.map(draw, shapes["params"])}
    if model.norm:
        variables["batch_stats"] = jax.tree.map(
            lambda leaf: np.ones(leaf.shape, np.float32), shapes["batch_stats"]
        )
    return variables


def make_run(
    *, steps=10, seed=0, stochastic=True, norm=True, ema=True, weights=None, **optimiser_settings
):
    """(initial state, step function before its axis is bound) of a toy run."""
    settings = {"warmup_steps": 2, "learning_rate": 1e-2, "weight_decay": 0.1}
    config = OptimiserConfig(**(settings | optimiser_settings))
    model = Toy(stochastic=stochastic, norm=norm)
    key = jax.random.key(seed)
    variables = initial_variables(model, seed)
    rate = learning_rate(config, steps)
    optimiser = make_optimiser(config, rate, decays)
    step = functools.partial(
        train_step,
        objective=ToyObjective(model, weights),
        optimiser=optimiser,
        rate=rate,
        key=key,
        ema_decay=config.ema_decay,
        ema_start=config.ema_start,
    )
    return create(variables, optimiser, decay_mask=kernels_only, keep_ema=ema), step


def validate(variables, step, interrupt):
    """A value that rises and falls with the step, and depends on the parameters by a hair."""
    size = sum(float(jnp.sum(jnp.abs(x))) for x in jax.tree.leaves(variables["params"]))
    return {"score": -abs(step - 12) + 1e-6 * size}


def train_toy(
    workdir, *, steps=10, num_devices=1, accumulation=1, seconds=0.0, make=make_batch, **settings
):
    """Trains in `workdir` with a validation every 3 steps and a checkpoint every 2."""
    state, step = make_run(steps=steps)
    config = loop.LoopConfig(
        **({"train_steps": steps, "log_every": 4, "eval_every": 3, "save_every": 2} | settings)
    )
    with contextlib.ExitStack() as stack:
        checkpoints = None
        if processes.is_first():
            checkpoints = stack.enter_context(Checkpoints(workdir, keep_last=config.keep_last))
        return loop.train(
            state,
            step=functools.partial(step, axis_name=parallel.AXIS),
            key=jax.random.key(0),
            batches=functools.partial(batches, seconds=seconds, make=make),
            validate=validate,
            checkpoints=checkpoints,
            config=config,
            num_devices=num_devices,
            accumulation=accumulation,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--workdir", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--seconds_per_step", type=float, default=0.0)
    given = parser.parse_args()
    sys.exit(train_toy(given.workdir, steps=given.steps, seconds=given.seconds_per_step).exit_code)

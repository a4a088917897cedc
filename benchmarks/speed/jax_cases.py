"""Our side of each task.

A case has `first() -> arrays by name`, what is compared with the twin; `run()`, one timed call that
returns when it is done; `flops()`; and `for_peer()`, arrays that the twin starts from.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax.tree_utils

from benchmarks.speed.inputs import batch_of, descriptors
from benchmarks.speed.jax_models import model_of
from benchmarks.speed.task import (
    CLIP_NORM,
    LEARNING_RATE,
    OPTIMISER_STEPS,
    WEIGHT_DECAY,
    Task,
)
from imo_jax.models import inputs as imo_inputs
from imo_jax.models.imo import IMO
from imo_jax.models.imo.model import STRIDE
from imo_jax.models.imo.sample import draw_noise, predict
from imo_jax.models.registry import kind_of
from imo_jax.models.semt import network, normalise
from imo_jax.surrogate.neighbours import nearest
from imo_jax.train import parallel
from imo_jax.train.initial import draw
from imo_jax.train.optimiser import OptimiserConfig, learning_rate, make_optimiser
from imo_jax.train.packing import decays, unpack
from imo_jax.train.state import create
from imo_jax.train.step import train_step
from imo_jax.train.weight_decay import DECAY_MASKS

Arrays = dict[str, np.ndarray]

OPTIMISER = OptimiserConfig(
    learning_rate=LEARNING_RATE,
    lr_decay="poly",
    lr_power=0.0,
    warmup_steps=0,
    weight_decay=WEIGHT_DECAY,
    clip_norm=CLIP_NORM,
    ema_decay=0.0,
)


def case_of(task: Task) -> Any:
    """The case of a task."""
    if task.trains:
        return Training(task)
    cases = {"sample": Sampling, "encode": Encoding, "surrogate": Neighbours}
    return cases[task.what](task)


def algorithm_flops(function: Callable, *args: Any) -> float:
    """Floating point operations of one call by XLA's cost analysis, before its optimisations.

    Lowered as for a GPU, whatever runs it: there the layers are written without loops, whose
    bodies the analysis would count once.
    """
    shapes = jax.eval_shape(lambda *given: given, *args)
    traced = jax.jit(function).trace(*shapes)
    return traced.lower(lowering_platforms=("cuda",)).cost_analysis()["flops"]


class Training:
    """The pmapped train step on one device, as the experiments make it."""

    def __init__(self, task: Task) -> None:
        self._model = model_of(task)
        self._batch = batch_of(task)
        self._key = jax.random.key(1)
        rate = learning_rate(OPTIMISER, OPTIMISER_STEPS)
        adamw = make_optimiser(OPTIMISER, rate, decays)
        self._one_step = functools.partial(
            train_step, objective=self._model.objective, optimiser=adamw, rate=rate
        )
        self._variables = draw(self._model.initial, seed=0)
        decay_mask = DECAY_MASKS[OPTIMISER.weight_decay_on]
        state = create(self._variables, adamw, decay_mask=decay_mask, keep_ema=False)
        self._shapes = jax.eval_shape(lambda: state)
        step = functools.partial(self._one_step, axis_name=parallel.AXIS)
        self._step = parallel.over_devices(step, key=self._key)
        self._state = parallel.replicate(state, 1)
        self._on_device = parallel.shard(self._batch, 1)

    def for_peer(self) -> Arrays:
        state = self._model.to_torch(self._variables)
        draws = self._model.draws(self._key, self._batch["index"])
        return _named("weights", state) | _named("draws", draws)

    def first(self) -> Arrays:
        """Losses, gradient norm, clipped gradients and batch statistics of the first step."""
        metrics = self._advance()
        state = parallel.unreplicate(self._state)
        # After one step Adam's mean is (1 - b1) times the clipped gradient.
        mean = unpack(optax.tree_utils.tree_get(state.opt_state, "mu"))
        gradient = jax.tree.map(lambda m: m / (1 - OPTIMISER.adam_b1), mean)
        found = self._model.to_torch({"params": gradient, "batch_stats": state.batch_stats})
        statistics = {name: x for name, x in found.items() if ".running_" in name}
        gradients = {name: x for name, x in found.items() if name not in statistics}
        (values,) = parallel.fetch([metrics])
        losses = {n: np.float32(v) for n, v in values.items() if n.startswith("loss")}
        return {
            **losses,
            "gradient_norm": np.float32(values["gradient_norm"]),
            **_named("gradient", gradients),
            **_named("statistics", statistics),
        }

    def run(self) -> None:
        self._advance()

    def _advance(self) -> dict[str, jax.Array]:
        self._state, metrics = self._step(self._state, self._on_device)
        jax.block_until_ready((self._state, metrics))
        return metrics

    def flops(self) -> float:
        # (B, ...) -> (1, B, ...): one accumulation step
        batch = {name: x[None] for name, x in self._batch.items()}
        return algorithm_flops(
            lambda state, batch, key: self._one_step(state, batch, key=key),
            self._shapes,
            batch,
            self._key,
        )


class Sampling:
    """Prediction: encoder, DDIM, probabilities and uncertainty at image size, in one jit."""

    def __init__(self, task: Task) -> None:
        self._task, self._model = task, model_of(task)
        self._batch = batch_of(task)
        self._variables = jax.device_put(draw(self._model.initial, seed=0))
        self._on_device = jax.device_put(self._batch)
        self._key = jax.random.key(1)
        self._predict = functools.partial(
            predict, config=self._model.config, steps=task.steps, samples=task.samples
        )

    def for_peer(self) -> Arrays:
        c, side = self._model.config, self._task.size // STRIDE
        shape = (side, side, c.feature_dim)
        noise = draw_noise(self._key, self._batch["index"], self._task.samples, shape)
        state = self._model.to_torch(jax.device_get(self._variables))
        # (B, K, h, w, C) -> (B*K, h, w, C) -> (B*K, C, h, w)
        noise = np.moveaxis(np.asarray(noise).reshape(-1, *shape), -1, 1)
        return _named("weights", state) | {"draws/noise": noise}

    def first(self) -> Arrays:
        found = self._outputs()
        names = ("probabilities", "entropy", "grade_probabilities")
        return {name: np.asarray(found[name]) for name in names}

    def run(self) -> None:
        self._outputs()

    def _outputs(self) -> dict[str, jax.Array]:
        return jax.block_until_ready(self._predict(self._variables, self._on_device, key=self._key))

    def flops(self) -> float:
        """Of the whole; the analysis counts the scan's body once, so the other steps are added."""
        c, task = self._model.config, self._task
        once = algorithm_flops(
            lambda variables, batch, key: self._predict(variables, batch, key=key),
            self._variables,
            self._batch,
            self._key,
        )
        side = task.size // STRIDE
        x = jnp.zeros((task.batch * task.samples, side, side, c.feature_dim))
        film = jnp.zeros((1, c.decoder_layers, 2, c.feature_dim))
        decode = functools.partial(IMO(c).apply, method="decode")
        return once + (task.steps - 1) * algorithm_flops(decode, self._variables, x, film)


class Encoding:
    """What a batch costs without a sampler: IMO's encoder and grading head, SEMT's network, a U-Net."""

    def __init__(self, task: Task) -> None:
        self._model = model_of(task)
        self._batch = batch_of(task)
        self._variables = jax.device_put(draw(self._model.initial, seed=0))
        self._on_device = jax.device_put(self._batch)
        self._encode = {"imo": self._imo, "semt": self._semt, "unet": self._unet}[task.model]
        self._jitted = jax.jit(self._encode)

    def _imo(self, variables: Any, batch: dict[str, jax.Array]) -> dict[str, jax.Array]:
        inputs = imo_inputs.normalise(batch)
        outputs = IMO(self._model.config).apply(
            variables,
            inputs["fundus"],
            inputs["oct"],
            inputs["has_oct"],
            train=False,
            method="encode",
        )
        return {name: outputs[name] for name in ("fused_feature", "grade_logits")}

    def _semt(self, variables: Any, batch: dict[str, jax.Array]) -> dict[str, jax.Array]:
        outputs = network(self._model.config).apply(variables, normalise(batch), train=False)
        return {name: outputs[name] for name in ("logit", "vf")}

    def _unet(self, variables: Any, batch: dict[str, jax.Array]) -> dict[str, jax.Array]:
        inputs = imo_inputs.normalise(batch)
        outputs = kind_of(self._model.config).module(self._model.config).apply(
            variables, inputs["fundus"], train=False
        )
        return {"logits": outputs["logits"]}

    def for_peer(self) -> Arrays:
        return _named("weights", self._model.to_torch(jax.device_get(self._variables)))

    def first(self) -> Arrays:
        return {name: np.asarray(x, np.float32) for name, x in self._outputs().items()}

    def run(self) -> None:
        self._outputs()

    def _outputs(self) -> dict[str, jax.Array]:
        return jax.block_until_ready(self._jitted(self._variables, self._on_device))

    def flops(self) -> float:
        return algorithm_flops(self._encode, self._variables, self._batch)


class Neighbours:
    """The exact nearest donor of every query."""

    def __init__(self, task: Task) -> None:
        self._queries, self._donors = descriptors(task)

    def for_peer(self) -> Arrays:
        return {}

    def first(self) -> Arrays:
        _, distance = nearest(self._queries, self._donors)
        return {"distance": distance[:, 0]}

    def run(self) -> None:
        nearest(self._queries, self._donors)

    def flops(self) -> float:
        """Of the matrix product alone, which is all but nothing of it."""
        return 2.0 * self._queries.size * len(self._donors)


def _named(prefix: str, arrays: Arrays) -> Arrays:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}

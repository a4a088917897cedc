"""What a row costs: parameters, operations and time of a prediction."""

import functools
import time
from typing import Any

import jax
import numpy as np

from data_pipelines.load.batches import eval_batches
from data_pipelines.load.stores import Store
from experiments.prediction import SCORED
from experiments.saved_run import TrainedRun
from imo_jax.flops import count_flops
from imo_jax.machine import describe_devices
from imo_jax.models.variables import parameters
from imo_jax.predictor.answers import INPUTS, outputs_of

REPEATS = 20  # timed predictions, after one that is not


def measure_cost(run: TrainedRun, store: Store) -> dict[str, Any]:
    """Cost of predicting one test eye as evaluation does, with all its samples.

    Returns:
      `parameters`; `flops` (see count_flops); `latency_s`, the median over REPEATS; `samples` an
      eye; `device`. Ready for JSON.
    """
    batches = eval_batches(store, SCORED, batch_size=1, use_oct=run.config.model.use_oct)
    batch = next(iter(batches))
    inputs = jax.device_put({name: batch[name] for name in INPUTS if name in batch})
    variables = jax.device_put(run.variables)
    number = run.config.samples

    def predicted(variables: Any, inputs: dict[str, jax.Array]) -> Any:
        return outputs_of(variables, inputs, run.config.model, samples=number)

    return {
        "parameters": parameters(run.variables),
        "flops": count_flops(predicted, variables, inputs),
        "latency_s": median_seconds(functools.partial(predicted, variables, inputs)),
        "samples": number,
        "device": describe_devices(),
    }


def median_seconds(function: Any, repeats: int = REPEATS) -> float:
    """Median wall time of calls that are waited for; a first call, which may compile, is free."""
    jax.block_until_ready(function())
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        jax.block_until_ready(function())
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))

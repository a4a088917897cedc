"""What a network on eyes costs: parameters, operations and time of a prediction."""

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from imo_jax.flops import count_flops
from imo_jax.machine import describe_devices
from imo_jax.models.variables import parameters
from imo_jax.predictor.answers import INPUTS, outputs_of

REPEATS = 20  # timed predictions, after one that is not


def prediction_cost(
    variables: Any, batch: Mapping[str, Any], model: Any, samples: int
) -> dict[str, Any]:
    """Cost of predicting a batch, of a single eye as a rule.

    Args:
      variables: of the network.
      batch: of eyes, as `data_pipelines.load.eval_batches` gives them.
      model: config of the network.
      samples: diffusion samples an eye.

    Returns:
      `parameters`; `flops` (see count_flops); `latency_s`, the median over REPEATS; `samples` an
      eye; `device`. Ready for JSON.
    """
    inputs = jax.device_put({name: batch[name] for name in INPUTS if name in batch})
    variables = jax.device_put(variables)

    def predicted(variables: Any, inputs: dict[str, jax.Array]) -> Any:
        return outputs_of(variables, inputs, model, samples=samples)

    return {
        "parameters": parameters(variables),
        "flops": count_flops(predicted, variables, inputs),
        "latency_s": median_seconds(functools.partial(predicted, variables, inputs)),
        "samples": samples,
        "device": describe_devices(),
    }


def median_seconds(function: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Median wall time of calls that are waited for; a first call, which may compile, is free."""
    jax.block_until_ready(function())
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        jax.block_until_ready(function())
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))

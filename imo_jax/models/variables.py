"""The variables of any kind of network, from its config alone."""

import functools
from typing import Any

import jax
import numpy as np

from imo_jax.models import baselines
from imo_jax.models.imo.config import IMOConfig
from imo_jax.models.imo.model import IMO
from imo_jax.models.semt.config import SemtConfig
from imo_jax.models.semt.networks import network as semt


def initial_variables(model: Any, key: jax.Array) -> dict[str, Any]:
    """{"params", "batch_stats"} before training, drawn with `key`.

    Args:
      model: config of IMO, a segmenter, a grader or a screening network.
    """
    # Parameters do not depend on the sizes of the images: small ones trace quickly.
    if isinstance(model, SemtConfig):
        shape = (1, 32, 32, 3) if model.input == "scan" else (1, 16, 16, 16, 1)
        return semt(model).init(key, np.zeros(shape, np.float32), train=False)
    fundus, volume = np.zeros((1, 32, 32, 3), np.float32), None
    if model.use_oct:
        volume = np.zeros((1, 8, 8, model.oct_slices), np.float32)
    if isinstance(model, IMOConfig):
        return IMO(model).init(key, fundus, volume)
    return baselines.module(model).init(key, fundus, volume, train=False)


def variable_shapes(model: Any) -> Any:
    """Names, shapes and dtypes of the network's variables, without computing any."""
    return jax.eval_shape(functools.partial(initial_variables, model), jax.random.key(0))

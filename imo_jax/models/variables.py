"""The variables of any kind of network, from its config alone."""

import functools
import math
from typing import Any

import jax
import numpy as np

from imo_jax.models.registry import kind_of


def initial_variables(model: Any, key: jax.Array) -> dict[str, Any]:
    """{"params", "batch_stats"} before training, drawn with `key`.

    Args:
      model: config of IMO, a segmenter, a grader or a screening network.
    """
    return kind_of(model).init(model, key)


def variable_shapes(model: Any) -> Any:
    """Names, shapes and dtypes of the network's variables, without computing any."""
    return jax.tree.map(lambda leaf: leaf, _variable_shapes(model))  # dicts of the caller's own


@functools.lru_cache(maxsize=16)
def _variable_shapes(model: Any) -> Any:
    """Traced once: a training that is evaluated, and the runs of several folds, ask again."""
    return jax.eval_shape(functools.partial(initial_variables, model), jax.random.key(0))


def parameters(variables: Any) -> int:
    """Number of learned values in {"params", ...}."""
    return sum(math.prod(np.shape(x)) for x in jax.tree.leaves(variables["params"]))

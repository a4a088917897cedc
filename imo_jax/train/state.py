"""The state of a training run: all that a step changes, and all that a checkpoint holds of it."""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from flax.serialization import from_state_dict, to_state_dict
from flax.traverse_util import flatten_dict, unflatten_dict

from imo_jax.checkpoints import require_same_arrays
from imo_jax.train.packing import Packed, pack, pack_all, unpack_all


@flax.struct.dataclass
class TrainState:
    """Pytree of one run.

    Attributes:
      step: () int32, steps done.
      params: trainable parameters, packed.
      batch_stats: running statistics of normalisation layers; {} for a model without any.
      opt_state: state of the optax transformation of packed parameters.
      ema: {"params", "batch_stats"} averaged over the steps, its parameters packed as well, or None
        where no average is kept.
    """

    step: jax.Array
    params: Packed
    batch_stats: Any
    opt_state: Any
    ema: Any


def create(
    variables: dict,
    optimiser: optax.GradientTransformation,
    *,
    decay_mask: Callable[[Any], Any],
    keep_ema: bool,
) -> TrainState:
    """State before the first step.

    Args:
      variables: {"params": ..., "batch_stats": ...} as `module.init` returns them ("batch_stats"
        may be absent).
      optimiser: the transformation whose state is made; it is given packed parameters.
      decay_mask: which parameters decay, see `imo_jax.train.weight_decay.DECAY_MASKS`.
      keep_ema: whether an average is kept beside the parameters.
    """
    params = pack(variables["params"], decay_mask)
    batch_stats = variables.get("batch_stats", {})
    ema = {"params": params, "batch_stats": batch_stats} if keep_ema else None
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        batch_stats=batch_stats,
        opt_state=jax.jit(optimiser.init)(params),
        ema=ema,
    )


def evaluated(state: TrainState) -> dict:
    """The part of the state to evaluate with: the average where one is kept, else the current."""
    return state.ema or {"params": state.params, "batch_stats": state.batch_stats}


def evaluation_variables(state: TrainState) -> dict:
    """The variables to evaluate with, by the network's own names."""
    return unpack_all(evaluated(state))


def to_items(state: TrainState) -> dict[str, dict]:
    """`variables` and `training` of `imo_jax.checkpoints`: nested dicts of the state's arrays.

    Nothing in them is packed, so that a checkpoint has the network's own names.
    """
    training = {"step": state.step, "opt_state": to_state_dict(unpack_all(state.opt_state))}
    if state.ema is not None:
        live = {"params": state.params, "batch_stats": state.batch_stats}
        training |= unpack_all(live)
    return {"variables": evaluation_variables(state), "training": training}


def from_items(like: TrainState, variables: dict, training: dict) -> TrainState:
    """Inverse of `to_items`: the state with the structure of `like` and the arrays given.

    Raises `CheckpointMismatch` where names, shapes or dtypes differ from those of `like`.
    """
    # As numpy arrays: no program is compiled to cut each parameter from those that are packed.
    like = jax.device_get(like)
    expected, found = to_items(like), {"variables": variables, "training": training}
    require_same_arrays(found, expected, "the checkpoint to go on from")
    # Nodes without arrays (optax has some) may not come back from disk: take them from `like`.
    flat = flatten_dict(expected, keep_empty_nodes=True) | flatten_dict(found)
    items = unflatten_dict(flat)
    variables, training = items["variables"], items["training"]
    live = variables if like.ema is None else training
    restored = TrainState(
        step=training["step"],
        params=live["params"],
        batch_stats=live["batch_stats"],
        opt_state=from_state_dict(unpack_all(like.opt_state), training["opt_state"]),
        ema=None if like.ema is None else variables,
    )
    return pack_all(like, restored)

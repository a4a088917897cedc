"""One training step: gradient of an objective over devices and accumulation steps, one update."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from imo_jax.losses import Sum, mean
from imo_jax.train import ema
from imo_jax.train.frozen import Path, as_in_evaluation, without_gradient
from imo_jax.train.keys import example_keys
from imo_jax.train.objectives import Objective, Totals, weighted_loss
from imo_jax.train.optimiser import Schedule
from imo_jax.train.packing import Packed, unpack
from imo_jax.train.remat import recomputed_blocks
from imo_jax.train.state import TrainState

Batch = dict[str, jax.Array]


def train_step(
    state: TrainState,
    batch: Batch,
    *,
    objective: Objective,
    optimiser: optax.GradientTransformation,
    rate: Schedule,
    key: jax.Array,
    ema_decay: float = 0.0,
    ema_start: str = "warmup",
    remat: bool = False,
    frozen: Path | None = None,
    axis_name: str | None = None,
    unpack: Callable[[Batch], Batch] | None = None,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """One update of the parameters, pure; bind the keywords with `functools.partial`.

    Args:
      state: before the step; `state.ema` is updated where it is kept.
      batch: this device's share, arrays of shape (accumulation, B, ...), among them `index`
        (accumulation, B) uint32, the global example index.
      objective: what is minimised.
      optimiser: optax transformation that `state.opt_state` belongs to.
      rate: the learning rate that the optimiser was made with, for the report.
      key: typed key of the run; the draws of this step follow from it, `state.step` and `index`.
      ema_decay, ema_start: see `imo_jax.train.ema`; not looked at where no average is kept.
      remat: blocks are computed again for the gradient instead of kept, see `imo_jax.train.remat`.
      frozen: where the encoder lies that does not learn, see `imo_jax.train.frozen`; None = all learn.
      axis_name: the device axis; None on one device without a device axis.
      unpack: makes of `batch` what the objective reads; None = it is that.

    Returns:
      The state after the step, and () float32 metrics of the whole batch: `loss` and `loss_<term>`
      before the update, the objective's extras, `gradient_norm` before clipping, `param_norm` after
      the update, `update_norm` and `learning_rate`.
    """
    if unpack is not None:
        batch = unpack(batch)
    counts = _over_devices(_counts(objective, batch), axis_name)
    gradient, totals = _accumulate(state, batch, counts, objective, key, remat, frozen, axis_name)
    gradient, losses, extras = _over_devices((gradient, totals.losses, totals.extras), axis_name)

    updates, opt_state = optimiser.update(gradient, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    average = state.ema
    if average is not None:
        decay = ema.decay_at(ema_decay, ema_start, state.step)
        new = {"params": params, "batch_stats": totals.batch_stats}
        average = ema.update(average, new, decay)
    metrics = {
        "loss": weighted_loss(losses, counts, objective.weights),
        **{f"loss_{name}": mean(Sum(losses[name], counts[name])) for name in losses},
        **{name: mean(value) for name, value in extras.items()},
        "gradient_norm": optax.global_norm(gradient),
        "param_norm": optax.global_norm(params),
        "update_norm": optax.global_norm(updates),
        "learning_rate": rate(state.step),
    }
    new_state = TrainState(
        step=state.step + 1,
        params=params,
        batch_stats=totals.batch_stats,
        opt_state=opt_state,
        ema=average,
    )
    return new_state, metrics


def _over_devices(tree: Any, axis_name: str | None) -> Any:
    # One device has nothing to add, and XLA:CPU would copy every gradient to find that out.
    alone = axis_name is None or jax.lax.axis_size(axis_name) == 1
    return tree if alone else jax.lax.psum(tree, axis_name)


def _counts(objective: Objective, batch: Batch) -> dict[str, jax.Array]:
    """Counts of this device's whole share, all accumulation steps together."""
    # (accumulation, B, ...) -> (accumulation * B, ...)
    flat = jax.tree.map(lambda x: x.reshape((-1, *x.shape[2:])), batch)
    return objective.counts(flat)


def _accumulate(
    state: TrainState,
    batch: Batch,
    counts: dict[str, jax.Array],
    objective: Objective,
    key: jax.Array,
    remat: bool,
    frozen: Path | None,
    axis_name: str | None,
) -> tuple[Any, Totals]:
    """This device's gradient and totals, added over the accumulation steps.

    The loss of a part is divided by the counts of everything, so the gradients of parts and devices
    add up to the gradient of the whole. It is differentiated before it is summed over devices:
    the transpose of a psum is a psum, so a psum of the loss in here would multiply the gradient by
    the number of devices (the psums inside a synchronised BatchNorm are meant, and come out right).
    """

    def loss(params: Packed, batch_stats: Any, part: Batch) -> tuple[jax.Array, Totals]:
        with recomputed_blocks(remat), as_in_evaluation(frozen):
            totals = objective.totals(
                without_gradient(unpack(params), frozen),
                batch_stats,
                part,
                example_keys(key, state.step, part["index"]),
                step=state.step,
                train=True,
                axis_name=axis_name,
            )
        return weighted_loss(totals.losses, counts, objective.weights), totals

    def add_part(carry: tuple, part: Batch) -> tuple[tuple, tuple[dict, dict]]:
        batch_stats, gradient = carry
        (_, totals), new = jax.value_and_grad(loss, has_aux=True)(state.params, batch_stats, part)
        gradient = jax.tree.map(jnp.add, gradient, new)
        return (totals.batch_stats, gradient), (totals.losses, totals.extras)

    if jax.tree.leaves(batch)[0].shape[0] == 1:
        # No loop around a single part: XLA:CPU is slow with the gradients of convolutions in loops.
        part = jax.tree.map(lambda x: x[0], batch)
        (_, totals), gradient = jax.value_and_grad(loss, has_aux=True)(
            state.params, state.batch_stats, part
        )
        return gradient, totals
    nothing = jax.tree.map(jnp.zeros_like, state.params)
    (batch_stats, gradient), sums = jax.lax.scan(add_part, (state.batch_stats, nothing), batch)
    losses, extras = jax.tree.map(lambda x: jnp.sum(x, axis=0), sums)
    return gradient, Totals(losses, batch_stats, extras)

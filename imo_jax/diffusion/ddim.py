"""Deterministic DDIM sampling (paper, eq. 5) as one `lax.scan`; knows no model."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.diffusion.schedule import alpha_sigma, log_snr

State = Any  # a pytree of float arrays


def sampling_times(steps: int, time_difference: int = 1, start_time: float = 1.0) -> np.ndarray:
    """The (t_now, t_next) pair of every step: (steps, 2) float32.

    Time falls from `start_time` to 0 in equal steps; t_next lies `time_difference` steps further
    than the next t_now (asymmetric time intervals of Bit Diffusion; released: 1), but not below 0.
    Three steps give (1, 1/3), (2/3, 0), (1/3, 0).
    """
    k = np.arange(steps)
    now = start_time * (1 - k / steps)
    following = start_time * np.maximum(1 - (k + 1 + time_difference) / steps, 0)
    return np.stack([now, following], axis=1).astype(np.float32)


def ddim_update(x_t: State, x0: State, log_snr_now: jax.Array, log_snr_next: jax.Array) -> State:
    """x_next = alpha_next x0 + sigma_next (x_t - alpha_now x0) / sigma_now (eq. 5).

    Linear in (x_t, x0): the state may be any pytree of coefficients of such vectors.
    """
    alpha, sigma = alpha_sigma(log_snr_now)
    alpha_next, sigma_next = alpha_sigma(log_snr_next)

    def update(x: jax.Array, target: jax.Array) -> jax.Array:
        noise = (x - alpha * target) / sigma
        return alpha_next * target + sigma_next * noise

    return jax.tree.map(update, x_t, x0)


def sample(
    denoise_fn: Callable[[State, Any], tuple[State, Any]],
    x_init: State,
    times: np.ndarray,
    step_inputs: Any = None,
) -> tuple[State, Any]:
    """Runs the sampler.

    Args:
      denoise_fn: (x_t, inputs of this step) -> (estimate of x0, shaped as x_t; any outputs).
      x_init: the state at times[0, 0].
      times: (steps, 2) float32, see `sampling_times`.
      step_inputs: pytree of arrays with a leading axis of `steps`; denoise_fn gets one slice (for
        what depends on the noise level alone and is computed once for all steps).

    Returns:
      The final state, and the outputs of every step stacked (steps, ...).
    """
    levels = log_snr(jnp.asarray(times, jnp.float32))

    def step(x_t: State, scanned: Any) -> tuple[State, Any]:
        (now, following), inputs = scanned
        x0, outputs = denoise_fn(x_t, inputs)
        return ddim_update(x_t, x0, now, following), outputs

    return jax.lax.scan(step, x_init, ((levels[:, 0], levels[:, 1]), step_inputs))

"""Cosine noise schedule in terms of the log signal-to-noise ratio."""

import jax
import jax.numpy as jnp
import numpy as np

# The released schedule: -log(cos(pi/2 (t + 0.0002) / 1.00025)^-2 - 1), argument clamped at 1e-5.
OFFSET, SCALE = 0.0002, 1.00025
MAX_LOG_SNR = -np.log(1e-5)


def log_snr(t: jax.Array) -> jax.Array:
    """log-SNR at time t in [0, 1]; 11.51 (nearly clean) at 0, -18.90 (nearly noise) at 1.

    Written as 2 log tan(pi/2 (1 - t + 5e-5) / 1.00025), which is the same by
    cos^-2 - 1 = tan^2 and keeps its digits near t = 1, where the textbook form is off by 3e-3.

    Args:
      t: any shape, float32.
    """
    # 1 - (t + OFFSET) / SCALE = (1 - t + SCALE - 1 - OFFSET) / SCALE
    angle = jnp.pi / 2 * ((1.0 - t) + (SCALE - 1.0 - OFFSET)) / SCALE
    return jnp.minimum(2 * jnp.log(jnp.tan(angle)), MAX_LOG_SNR)


def alpha_sigma(log_snr_t: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Signal and noise amplitudes (alpha, sigma), alpha^2 + sigma^2 = 1, of a log-SNR."""
    return jnp.sqrt(jax.nn.sigmoid(log_snr_t)), jnp.sqrt(jax.nn.sigmoid(-log_snr_t))

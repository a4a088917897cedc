"""Forward process (paper, eq. 4)."""

import chex
import jax

from imo_jax.diffusion.schedule import alpha_sigma


def add_noise(x0: jax.Array, noise: jax.Array, log_snr_t: jax.Array) -> jax.Array:
    """x_t = alpha x0 + sigma noise (eq. 4).

    Args:
      x0, noise: (B, ...), same shape and dtype.
      log_snr_t: (B,) float32, one noise level an example.

    Raises:
      AssertionError: other shapes.
    """
    chex.assert_equal_shape([x0, noise])
    chex.assert_shape(log_snr_t, x0.shape[:1])
    # (B,) -> (B, 1, ..., 1)
    alpha, sigma = (
        v.reshape((-1,) + (1,) * (x0.ndim - 1)).astype(x0.dtype) for v in alpha_sigma(log_snr_t)
    )
    return alpha * x0 + sigma * noise

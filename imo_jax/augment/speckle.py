"""Multiplicative speckle: each byte times a normal number of mean 1."""

import statistics

import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.augment import words

# 256 equally probable values of a normal distribution; a random byte picks one.
NORMAL = np.array(
    [statistics.NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)], np.float32
)


def speckled(values: jax.Array, picks: jax.Array, deviation: float) -> jax.Array:
    """Greys times 1 + deviation * a normal number, in 0..255 and whole.

    Args:
      values: (...) float32, 0..255.
      picks: (...) uint32, 0..255, equally probable.
      deviation: of the factor.

    Returns: (...) float32.
    """
    factors = words.take(jnp.asarray(1 + np.float32(deviation) * NORMAL), picks)
    return jnp.rint(jnp.clip(values * factors, 0, 255))

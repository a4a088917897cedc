"""Random keys: what example i draws at step k is a function of (seed, k, i) and of nothing else.

Neither the number of devices, nor the split into accumulation steps, nor an interruption of the run
changes a draw, because keys follow the global example index.
"""

import zlib

import jax
import numpy as np


def example_keys(key: jax.Array, step: jax.Array, index: jax.Array) -> jax.Array:
    """One key per example.

    Args:
      key: typed key of the run, `jax.random.key(seed)`.
      step: () integer, steps done before this one.
      index: (B,) uint32 global example index.

    Returns:
      (B,) typed keys.
    """
    step_key = jax.random.fold_in(key, step)
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(step_key, index)


def named(keys: jax.Array, name: str) -> jax.Array:
    """Independent keys for one purpose: (B,) typed keys -> (B,) typed keys, by the name's CRC-32.

    Names instead of positions in a split: a purpose that is added later moves no other draw.
    """
    return jax.vmap(jax.random.fold_in, in_axes=(0, None))(
        keys, np.uint32(zlib.crc32(name.encode()))
    )

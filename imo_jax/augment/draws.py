"""Random numbers of examples: functions of (seed, global example index), on however many devices."""

import math

import jax
import jax.numpy as jnp

from imo_jax.train import keys


def augmentation_keys(key: jax.Array, index: jax.Array) -> jax.Array:
    """The keys that examples are augmented with.

    They know neither the step nor the size of a batch: the example is the same in any of them.

    Args:
      key: typed key of the run.
      index: (B,) uint32 global example index.

    Returns: (B,) typed keys.
    """
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(keys.named(key[None], "augment")[0], index)


def uniform(example_keys: jax.Array, number: int) -> jax.Array:
    """(B,) typed keys -> (B, number) float32 in [0, 1), drawn at once: a call costs more than a number."""
    return jax.vmap(lambda key: jax.random.uniform(key, (number,), jnp.float32))(example_keys)


def random_words(example_keys: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """(B,) typed keys -> uint32 (B, *shape), for speckle."""
    own = keys.named(example_keys, "speckle")
    # Flat and then in shape: the same bits, but a fifth of the time to compile on XLA:CPU.
    flat = jax.vmap(lambda key: jax.random.bits(key, (math.prod(shape),), jnp.uint32))(own)
    return flat.reshape(-1, *shape)


def between(low: float, high: float, share: jax.Array) -> jax.Array:
    """The number that lies at `share` (0..1) of the way from low to high."""
    return low + (high - low) * share


def either_way(share: jax.Array) -> jax.Array:
    """[0, 1) -> [-1, 1)."""
    return 2 * share - 1

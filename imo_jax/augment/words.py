"""Four bytes in a 32-bit word: what a pixel, or four voxels, are while they are augmented.

A pixel's red, green, blue and mask id move with one gather instead of four. And what comes out is
one array: XLA:CPU computes a chain of sums anew for each array, and each channel, that comes out.
"""

import jax
import jax.numpy as jnp

LANES = 4
_SHIFTS = (0, 8, 16, 24)  # of a word's bytes, the lowest first


def joined(lanes: list[jax.Array]) -> jax.Array:
    """Up to four arrays (...) of values 0..255 -> uint32 (...); lanes that are not there are 0."""
    word = jnp.uint32(0)
    for lane, shift in zip(lanes, _SHIFTS, strict=False):
        word = word | lane.astype(jnp.uint32) << jnp.uint32(shift)
    return word


def lanes(words: jax.Array) -> list[jax.Array]:
    """uint32 (...) -> four uint32 (...) of values 0..255, the lowest byte first."""
    return [(words >> jnp.uint32(shift)) & jnp.uint32(255) for shift in _SHIFTS]


def of_bytes(values: jax.Array) -> jax.Array:
    """uint8 (..., n) -> uint32 (..., ceil(n / 4)), filled up with zeros."""
    missing = -values.shape[-1] % LANES
    values = jnp.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, missing)])
    # (..., 4 n) -> (..., n, 4)
    apart = values.reshape(*values.shape[:-1], -1, LANES)
    return joined([apart[..., lane] for lane in range(LANES)])


def to_bytes(words: jax.Array, number: int) -> jax.Array:
    """uint32 (..., n) -> uint8 (..., number), the first of the 4 n bytes."""
    apart = jax.lax.bitcast_convert_type(words, jnp.uint8)  # (..., n, 4), the lowest byte first
    # (..., n, 4) -> (..., 4 n)
    return apart.reshape(*words.shape[:-1], -1)[..., :number]


def take(table: jax.Array, index: jax.Array) -> jax.Array:
    """table.ravel()[index], any shape; the index must lie within (it is not looked at).

    XLA:CPU is several times as quick with a flat gather as with one along an axis.
    """
    flat = table.reshape(-1).at[index.reshape(-1)].get(mode="promise_in_bounds")
    return flat.reshape(index.shape)

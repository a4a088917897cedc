"""Maps that hold every m-th pixel, put together again."""

import jax
import jax.numpy as jnp


def interleaved(squares: list[list[jax.Array]]) -> jax.Array:
    """Arrays (B, h, w, C), m rows of m: (B, m h, m w, C) with squares[i][j] at every m-th pixel from (i, j) on."""
    # m x m of (B, h, w, C) -> (B, h, m, w, m, C)
    y = jnp.stack([jnp.stack(row, axis=3) for row in squares], axis=2)
    batch, rows, high, columns, wide, channels = y.shape
    return y.reshape(batch, rows * high, columns * wide, channels)

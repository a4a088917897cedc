"""Resizing that averages where it shrinks, for features whose detail should not alias."""

import jax


def resize_smoothly(x: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Resizes (B, H, W, C) to (B, *size, C): bilinear, with a wider filter along shrinking axes.

    `resize.bilinear` looks at the two nearest pixels only, as PyTorch does.
    """
    if x.shape[1:3] == size:
        return x
    return jax.image.resize(x, (x.shape[0], *size, x.shape[3]), "linear", antialias=True)

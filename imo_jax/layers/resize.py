"""Resizing as PyTorch does: bilinear (align_corners=False, no antialiasing), nearest by floor.

`jax.image.resize` antialiases when it shrinks and rounds the nearest index, so it is not used.
"""

import jax
import jax.numpy as jnp
import numpy as np


def bilinear(x: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Resizes (B, H, W, C) to (B, *size, C) linearly in both axes, in x's dtype.

    Growing axes use a product with the constant interpolation matrix, whose gradient is another
    product (a gather's would be a scatter); shrinking axes read just the two rows they need.
    """
    height, width = size
    return _resize_axis(_resize_axis(x, 1, height), 2, width)


def nearest(x: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Resizes (B, H, W, ...) to (B, *size, ...) by picking index floor(i * in / out)."""
    rows = np.arange(size[0]) * x.shape[1] // size[0]
    cols = np.arange(size[1]) * x.shape[2] // size[1]
    return jnp.take(jnp.take(x, rows, axis=1), cols, axis=2)


def upsample_nearest(x: jax.Array, size: tuple[int, int]) -> jax.Array:
    """`nearest` for features: whole factors repeat rows, so the gradient is a plain sum."""
    factor_h, factor_w = size[0] // x.shape[1], size[1] // x.shape[2]
    if (x.shape[1] * factor_h, x.shape[2] * factor_w) != size:
        return nearest(x, size)
    batch, height, width, channels = x.shape
    # (B, h, w, C) -> (B, h, fh, w, fw, C) -> (B, h*fh, w*fw, C)
    x = jnp.broadcast_to(
        x[:, :, None, :, None, :], (batch, height, factor_h, width, factor_w, channels)
    )
    return x.reshape(batch, *size, channels)


def linear_taps(size_in: int, size_out: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices (lower, upper) and weight of the upper one for each of `size_out` positions."""
    # Pixel centres: source = (i + 0.5) * in / out - 0.5, clamped at the border.
    source = np.maximum((np.arange(size_out) + 0.5) * size_in / size_out - 0.5, 0)
    lower = np.minimum(np.floor(source).astype(np.int32), size_in - 1)
    upper = np.minimum(lower + 1, size_in - 1)
    return lower, upper, (source - lower).astype(np.float32)


def interpolation_matrix(size_in: int, size_out: int) -> np.ndarray:
    """(size_out, size_in) float32 matrix whose rows are the two bilinear weights of an output."""
    lower, upper, fraction = linear_taps(size_in, size_out)
    matrix = np.zeros((size_out, size_in), np.float32)
    rows = np.arange(size_out)
    np.add.at(matrix, (rows, lower), 1 - fraction)
    np.add.at(matrix, (rows, upper), fraction)
    return matrix


def _resize_axis(x: jax.Array, axis: int, size: int) -> jax.Array:
    """Linear interpolation of `x` (B, H, W, C) along axis 1 or 2."""
    size_in = x.shape[axis]
    if size == size_in:
        return x
    if size > size_in:
        matrix = jnp.asarray(interpolation_matrix(size_in, size), x.dtype)
        # rows: (o, h) x (B, h, W, C) -> (B, o, W, C);  columns: (o, w) x (B, H, w, C)
        spec = "oh,bhwc->bowc" if axis == 1 else "ow,bhwc->bhoc"
        # Interpolation weights must not be rounded to TF32.
        return jnp.einsum(spec, matrix, x, precision=jax.lax.Precision.HIGHEST)
    lower, upper, fraction = linear_taps(size_in, size)
    shape = [1, 1, 1, 1]
    shape[axis] = size
    fraction = jnp.asarray(fraction.reshape(shape), x.dtype)
    low, high = jnp.take(x, lower, axis=axis), jnp.take(x, upper, axis=axis)
    return low * (1 - fraction) + high * fraction

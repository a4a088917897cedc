"""Bicubic resizing as PyTorch does (a = -0.75, align_corners=False, no antialiasing)."""

import jax
import jax.numpy as jnp
import numpy as np

A = -0.75  # jax.image and Pillow take -0.5


def bicubic(x: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Resizes (H, W, C) to (*size, C), in x's dtype; numpy or jax."""
    rows, columns = (cubic_matrix(n, m) for n, m in zip(x.shape[:2], size, strict=True))
    # (o, h) x (h, w, C) -> (o, w, C);  (p, w) x (o, w, C) -> (o, p, C)
    x = jnp.einsum("oh,hwc->owc", rows.astype(x.dtype), x, precision=jax.lax.Precision.HIGHEST)
    return jnp.einsum(
        "pw,owc->opc", columns.astype(x.dtype), x, precision=jax.lax.Precision.HIGHEST
    )


def cubic_matrix(size_in: int, size_out: int) -> np.ndarray:
    """(size_out, size_in) float32: the weights of each output; beyond the border its pixel."""
    source = (np.arange(size_out) + 0.5) * size_in / size_out - 0.5
    lower = np.floor(source).astype(int)
    matrix = np.zeros((size_out, size_in))
    for tap in range(-1, 3):
        column = np.clip(lower + tap, 0, size_in - 1)
        np.add.at(matrix, (np.arange(size_out), column), _weight(source - (lower + tap)))
    return matrix.astype(np.float32)


def _weight(distance: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel."""
    x = np.abs(distance)
    near = (A + 2) * x**3 - (A + 3) * x**2 + 1
    far = A * x**3 - 5 * A * x**2 + 8 * A * x - 4 * A
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))

"""Sine positional encoding of a pixel grid (Carion et al. 2020, as in the released decoder)."""

import numpy as np

TEMPERATURE = 10000.0


def axis_encoding(size: int, features: int) -> np.ndarray:
    """Encoding of one axis: (size, features) float32, sine and cosine interleaved.

    Positions are pixel centres (i + 0.5) / size, scaled to 2 pi; feature pair j has the period
    10000^(2j / features). The full encoding of pixel (y, x) is [encoding of y, encoding of x].
    """
    position = (np.arange(size) + 0.5) / (size + 1e-6) * 2 * np.pi
    period = TEMPERATURE ** (2 * (np.arange(features) // 2) / features)
    angle = position[:, None] / period[None, :]
    return np.where(np.arange(features) % 2 == 0, np.sin(angle), np.cos(angle)).astype(np.float32)

"""Changes of an OCT volume: gain, gamma, speckle and a shift in depth."""

import numpy as np
from scipy import special

from data_pipelines.augment.config import AugmentConfig

# 256 equally probable values of a normal distribution: a random byte picks one, which is five times
# as fast as drawing a normal number for each voxel.
_NORMAL = special.ndtri((np.arange(256) + 0.5) / 256).astype(np.float32)


def mirror(volume: np.ndarray) -> np.ndarray:
    """The volume of the mirrored eye: (depth, width, slices) reversed along the width.

    B-scans lie horizontally on the retina: along one, the width is the photograph's horizontal
    axis, so a left-right mirror reverses it. Depth points into the retina and the slices run from
    top to bottom; neither changes.
    """
    return np.ascontiguousarray(volume[:, ::-1])


def distort(volume: np.ndarray, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """Random gain and gamma, shift in depth (edges repeated), multiplicative speckle.

    Args:
      volume: uint8 (depth, width, slices).
      config: the ranges; a zero switches its part off.
      rng: the example's generator.

    Returns: uint8 (depth, width, slices).
    """
    gain, gamma, shift = rng.uniform(-1, 1, 3)
    if config.oct_gain > 0 or config.oct_gamma > 0:
        levels = np.arange(256) / 255
        levels = levels ** np.exp(config.oct_gamma * gamma) * (1 + config.oct_gain * gain)
        volume = np.take(np.rint(255 * np.clip(levels, 0, 1)).astype(np.uint8), volume)
    depth = volume.shape[0]
    rows = round(config.oct_shift * depth * shift)
    if rows:
        volume = np.take(volume, np.clip(np.arange(depth) - rows, 0, depth - 1), axis=0)
    if config.oct_speckle > 0:
        volume = add_speckle(volume, config.oct_speckle, rng)
    return volume


def add_speckle(pixels: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """uint8 pixels of any shape, each times a normal number of mean 1 and this deviation."""
    picks = np.frombuffer(rng.bytes(pixels.size), np.uint8).reshape(pixels.shape)
    speckle = np.take(1 + np.float32(deviation) * _NORMAL, picks)
    speckle *= pixels
    return np.rint(np.clip(speckle, 0, 255, out=speckle)).astype(np.uint8)

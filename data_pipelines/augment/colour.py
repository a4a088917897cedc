"""Colour changes of a photograph: brightness, contrast, saturation and hue (in HSV)."""

import dataclasses

import numpy as np

from data_pipelines.augment.config import AugmentConfig

# Pixels that are changed at a time. Larger planes cost more in page faults than in sums; smaller ones
# make threads wait for each other between short steps (measured from 8192 pixels to whole images).
BLOCK_PIXELS = 32768


@dataclasses.dataclass(frozen=True)
class Change:
    """Grey levels added; factors of contrast and saturation; degrees by which the hue turns."""

    brightness: float
    contrast: float
    contrast_first: bool
    saturation: float
    degrees: float


def distort(image: np.ndarray, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """Random brightness, contrast, saturation and hue, each with `config.colour_probability`.

    The order is mmseg's PhotoMetricDistortion: brightness, then by a coin contrast or later, then
    saturation, hue, and contrast if it has not been. Values are clipped to 0..255 after each, but
    rounded to whole grey levels only at the end.

    Args:
      image: uint8 (H, W, 3), RGB.
      config: the ranges.
      rng: the example's generator; always drawn from 9 times.

    Returns: uint8 (H, W, 3).
    """
    chosen = rng.random(4) < config.colour_probability
    contrast_first = rng.random() < 0.5
    brightness, contrast, saturation, hue = np.where(chosen, rng.uniform(-1, 1, 4), 0)
    change = Change(
        brightness=config.brightness * brightness,
        contrast=1 + config.contrast * contrast,
        contrast_first=contrast_first,
        saturation=1 + config.saturation * saturation,
        degrees=config.hue_degrees * hue,
    )
    changed = np.empty_like(image)
    rows = max(1, BLOCK_PIXELS // image.shape[1])
    for top in range(0, image.shape[0], rows):
        block = slice(top, top + rows)
        # (rows, W, 3) -> (3, rows, W): the arithmetic runs on whole planes
        planes = image[block].transpose(2, 0, 1).astype(np.float32, order="C")
        # (3, rows, W) -> (rows, W, 3)
        changed[block] = np.rint(apply(planes, change)).transpose(1, 2, 0)
    return changed


def apply(planes: np.ndarray, change: Change) -> np.ndarray:
    """float32 (3, H, W) in 0..255 -> the same, changed in the order that `distort` tells."""
    if change.brightness:
        planes = _clip(planes + np.float32(change.brightness))
    if change.contrast_first and change.contrast != 1:
        planes = _clip(planes * np.float32(change.contrast))
    if change.saturation != 1 or change.degrees:
        planes = shift_hue_saturation(planes, change.degrees, change.saturation)
    if not change.contrast_first and change.contrast != 1:
        planes = _clip(planes * np.float32(change.contrast))
    return planes


def _clip(planes: np.ndarray) -> np.ndarray:
    return np.clip(planes, 0, 255, out=planes)


def shift_hue_saturation(planes: np.ndarray, degrees: float, factor: float) -> np.ndarray:
    """Turns the hue and multiplies the saturation (at most to 1) of the HSV hexcone.

    Args:
      planes: float32 (3, H, W), red, green and blue in 0..255.
      degrees: turn of the hue.
      factor: multiplies the saturation, at least 0.

    Returns: float32 (3, H, W) in 0..255; value (the largest channel) is unchanged.
    """
    value = planes.max(axis=0)
    chroma = value - planes.min(axis=0)
    # Saturation is chroma / value, so saturation <= 1 says chroma <= value.
    new_chroma = np.minimum(chroma * np.float32(factor), value)
    if degrees == 0:
        ratio = np.divide(new_chroma, chroma, out=np.zeros_like(chroma), where=chroma > 0)
        return value - (value - planes) * ratio
    sector = _hue_sector(planes, value, chroma) + np.float32((degrees / 60) % 6)
    sector = np.where(sector >= 6, sector - np.float32(6), sector)
    # How much of the chroma each channel holds, as trapezoids over the hue circle 0..6.
    shares = (np.abs(sector - 3) - 1, 2 - np.abs(sector - 2), 2 - np.abs(sector - 4))
    low = value - new_chroma
    return np.stack([low + new_chroma * np.clip(share, 0, 1) for share in shares])


def _hue_sector(planes: np.ndarray, value: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """Hue in sixths of the circle, 0 <= h < 6 (red 0, green 2, blue 4; grey counts as red)."""
    red, green, blue = planes
    is_red, is_green = value == red, value == green
    difference = np.where(is_red, green - blue, np.where(is_green, blue - red, red - green))
    start = np.where(is_red, np.float32(0), np.where(is_green, np.float32(2), np.float32(4)))
    sector = start + difference / np.where(chroma > 0, chroma, np.float32(1))
    return np.where(sector < 0, sector + np.float32(6), sector)

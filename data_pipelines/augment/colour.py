"""Colour changes of a photograph: brightness, contrast, saturation and hue (in HSV)."""

import numpy as np

from data_pipelines.augment.config import AugmentConfig


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
    brightness, contrast, saturation, hue = rng.uniform(-1, 1, 4)
    change = {
        "brightness": chosen[0] and config.brightness > 0,
        "contrast": chosen[1] and config.contrast > 0,
        "saturation": chosen[2] and config.saturation > 0,
        "hue": chosen[3] and config.hue_degrees > 0,
    }
    if not any(change.values()):
        return image
    # (H, W, 3) -> (3, H, W): the arithmetic below runs on whole planes
    planes = np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.float32)
    if change["brightness"]:
        planes = _clip(planes + np.float32(config.brightness * brightness))
    factor = np.float32(1 + config.contrast * contrast)
    if change["contrast"] and contrast_first:
        planes = _clip(planes * factor)
    if change["saturation"] or change["hue"]:
        planes = shift_hue_saturation(
            planes,
            config.hue_degrees * hue if change["hue"] else 0.0,
            1 + config.saturation * saturation if change["saturation"] else 1.0,
        )
    if change["contrast"] and not contrast_first:
        planes = _clip(planes * factor)
    # (3, H, W) -> (H, W, 3)
    return np.ascontiguousarray(np.rint(planes).astype(np.uint8).transpose(1, 2, 0))


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

"""Colour changes of photographs: brightness, contrast, saturation and hue (in HSV)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

Planes = list[jax.Array]  # red, green and blue, each (B, H, W) float32 in 0..255


class Change(NamedTuple):
    """What is done to each photograph, arrays (B,) float32.

    Attributes:
      brightness: grey levels added.
      contrast: factor of every channel.
      contrast_first: bool; else contrast comes last.
      saturation: factor, at least 0.
      degrees: by which the hue turns.
    """

    brightness: jax.Array
    contrast: jax.Array
    contrast_first: jax.Array
    saturation: jax.Array
    degrees: jax.Array


def changed(planes: Planes, change: Change) -> Planes:
    """Brightness, contrast first or last, saturation and hue: mmseg's PhotoMetricDistortion.

    Values are clipped to 0..255 after each, and nothing is rounded.
    """
    # (B,) -> (B, 1, 1)
    change = Change(*(value[:, None, None] for value in change))
    first = jnp.where(change.contrast_first, change.contrast, 1)
    last = jnp.where(change.contrast_first, 1, change.contrast)
    planes = [_clip(plane + change.brightness) for plane in planes]
    planes = [_clip(plane * first) for plane in planes]
    planes = turned(planes, change.degrees, change.saturation)
    return [_clip(plane * last) for plane in planes]


def _clip(plane: jax.Array) -> jax.Array:
    return jnp.clip(plane, 0, 255)


def turned(planes: Planes, degrees: jax.Array, factor: jax.Array) -> Planes:
    """Turns the hue and multiplies the saturation (at most to 1) of the HSV hexcone.

    Args:
      planes: red, green and blue.
      degrees: turn of the hue, broadcast to a plane.
      factor: multiplies the saturation, at least 0, broadcast to a plane.

    Returns: planes; value (the largest channel) is unchanged.
    """
    red, green, blue = planes
    value = jnp.maximum(jnp.maximum(red, green), blue)
    chroma = value - jnp.minimum(jnp.minimum(red, green), blue)
    # Saturation is chroma / value, so saturation <= 1 says chroma <= value.
    new_chroma = jnp.minimum(chroma * factor, value)
    sector = _hue_sector(planes, value, chroma) + (degrees / 60) % 6
    sector = jnp.where(sector >= 6, sector - 6, sector)
    # How much of the chroma each channel holds, as trapezoids over the hue circle 0..6.
    shares = (jnp.abs(sector - 3) - 1, 2 - jnp.abs(sector - 2), 2 - jnp.abs(sector - 4))
    low = value - new_chroma
    return [low + new_chroma * jnp.clip(share, 0, 1) for share in shares]


def _hue_sector(planes: Planes, value: jax.Array, chroma: jax.Array) -> jax.Array:
    """Hue in sixths of the circle, 0 <= h < 6 (red 0, green 2, blue 4; grey counts as red)."""
    red, green, blue = planes
    is_red, is_green = value == red, value == green
    difference = jnp.where(is_red, green - blue, jnp.where(is_green, blue - red, red - green))
    start = jnp.where(is_red, 0.0, jnp.where(is_green, 2.0, 4.0))
    sector = start + difference / jnp.where(chroma > 0, chroma, 1)
    return jnp.where(sector < 0, sector + 6, sector)

"""From the batch as it travels (uint8) to what the network sees (float32), on the device."""

import jax
import jax.numpy as jnp

from imo_jax.backbones.normalisation import MEAN, STD


def normalise_fundus(fundus: jax.Array) -> jax.Array:
    """(B, H, W, 3) uint8 RGB -> float32, ImageNet mean 0 and standard deviation 1."""
    mean, std = (jnp.asarray(v)[None, None, None] for v in (MEAN, STD))
    return (fundus.astype(jnp.float32) - mean) / std


def normalise_oct(volume: jax.Array) -> jax.Array:
    """(B, h, w, D) uint8 -> float32 in 0..1."""
    return volume.astype(jnp.float32) / 255.0


def normalise(batch: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """The arguments of `IMO.encode` from a batch.

    Args:
      batch: `fundus` (B, H, W, 3) uint8; optionally `oct` (B, h, w, D) uint8 and `has_oct` (B,)
        bool; other entries are ignored.

    Returns:
      `fundus` float32, `oct` float32 or None, `has_oct` or None.
    """
    volume = batch.get("oct")
    return {
        "fundus": normalise_fundus(batch["fundus"]),
        "oct": None if volume is None else normalise_oct(volume),
        "has_oct": None if volume is None else batch.get("has_oct"),
    }

"""From the batch as it travels (uint8) to what the network sees (float32), on the device."""

import jax
import jax.numpy as jnp

from imo_jax.backbones.normalisation import MEAN, STD


def normalise_scan(scan: jax.Array) -> jax.Array:
    """(B, H, W, 3) uint8, three adjacent B-scans -> float32 by ImageNet's statistics of RGB."""
    mean, std = (jnp.asarray(v)[None, None, None] for v in (MEAN, STD))
    return (scan.astype(jnp.float32) - mean) / std


def normalise_cube(cube: jax.Array) -> jax.Array:
    """(B, slices, depth, width) uint8 -> (B, slices, depth, width, 1) float32 in 0..1."""
    return (cube.astype(jnp.float32) / 255.0)[..., None]


NORMALISERS = {"scan": normalise_scan, "cube": normalise_cube}


def normalise(batch: dict[str, jax.Array]) -> jax.Array:
    """What every network of models.semt takes, from a batch with `scan` or `cube`.

    Raises:
      KeyError: the batch has neither.
    """
    for name, function in NORMALISERS.items():
        if name in batch:
            return function(batch[name])
    raise KeyError(f"the batch has neither {' nor '.join(NORMALISERS)}: {sorted(batch)}")

"""Changes of an OCT volume: mirror, gain, gamma, shift in depth, speckle."""

import jax
import jax.numpy as jnp

from imo_jax.augment import words
from imo_jax.augment.speckle import speckled


def moved(voxels: jax.Array, mirrored: jax.Array, rows: jax.Array) -> jax.Array:
    """The volume of the mirrored eye, shifted in depth, where the edge is repeated.

    B-scans lie horizontally on the retina: along one, the width is the photograph's horizontal
    axis, so a left-right mirror reverses it. Depth points into the retina and the slices run from
    top to bottom; neither changes.

    Args:
      voxels: uint32 (B, depth, width, slices / 4), four voxels a word.
      mirrored: (B,) bool.
      rows: (B,) int32, moved so many voxels into the depth.

    Returns: as `voxels`.
    """
    batch, depth, width, slices = voxels.shape
    # (B, depth), (B, width): where each row and column comes from
    from_row = jnp.clip(jnp.arange(depth)[None] - rows[:, None], 0, depth - 1)
    column = jnp.arange(width)[None]
    from_column = jnp.where(mirrored[:, None], width - 1 - column, column)
    line = (jnp.arange(batch)[:, None] * depth + from_row)[:, :, None] * width
    place = line + from_column[:, None, :]  # (B, depth, width)
    return words.take(voxels, place[..., None] * slices + jnp.arange(slices)[None, None, None])


def curves(gain: jax.Array, exponent: jax.Array) -> jax.Array:
    """(B, 256) float32: the grey that each grey becomes, 255 gain (grey / 255)^exponent, whole."""
    levels = jnp.arange(256, dtype=jnp.float32)[None] / 255
    greys = 255 * jnp.clip(levels ** exponent[:, None] * gain[:, None], 0, 1)
    # Greys rise anyway, so that sorting changes nothing; but what has been sorted is an array, while
    # XLA:CPU would compute the power anew for each voxel that looks it up.
    return jnp.sort(jnp.rint(greys), axis=-1)


def distorted(
    voxels: jax.Array, curve: jax.Array | None, picks: jax.Array | None, deviation: float
) -> jax.Array:
    """Greys along their curve, then speckled.

    Args:
      voxels: uint32 (B, depth, width, slices / 4), four voxels a word.
      curve: (B, 256) float32 of `curves`; None = greys stay.
      picks: uint32 (B, depth, width, slices / 4), random; None = no speckle.
      deviation: of the speckle.

    Returns: as `voxels`.
    """
    greys = words.lanes(voxels)
    if curve is not None:
        start = 256 * jnp.arange(len(voxels), dtype=jnp.uint32)[:, None, None, None]
        greys = [words.take(curve, grey + start) for grey in greys]
    if picks is not None:
        greys = [
            speckled(grey.astype(jnp.float32), pick, deviation)
            for grey, pick in zip(greys, words.lanes(picks), strict=True)
        ]
    return words.joined(greys)

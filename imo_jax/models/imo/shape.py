"""What a reader would measure of a segmented disc, as numbers for the grading head."""

import jax
import jax.numpy as jnp

from imo_jax.labels import CUP, RIM

SECTORS = 8  # of 45 degrees around the disc's centre
NUM_MEASURES = 5 + SECTORS


def shape_measures(probabilities: jax.Array) -> jax.Array:
    """Cup-to-disc ratios, size and rim by sector of soft masks.

    Pixels count by their probability, from 0 at 1/4 to 1 at 3/4, so that sizes change smoothly with
    the contour and the many pixels of little probability far away count nothing. A diameter is four
    standard deviations along its axis, which is exact for an ellipse.

    Args:
      probabilities: (B, h, w, 3) float32 of background, rim and cup.

    Returns:
      (B, NUM_MEASURES) float32, each about -2..2: cup to disc by height, width and area; the largest
      columns of the two; the disc's diameter in sides of the image; the share of the rim in the
      disc in each sector, counted from the right (image axes). All 0 where no disc is seen.
    """
    cup = _counted(probabilities[..., CUP])
    disc = _counted(probabilities[..., CUP] + probabilities[..., RIM])
    rows = jnp.arange(disc.shape[1], dtype=jnp.float32)[None, :, None]
    columns = jnp.arange(disc.shape[2], dtype=jnp.float32)[None, None, :]
    area = _total(disc)
    y, x = (_total(disc * v) / jnp.maximum(area, 1.0) for v in (rows, columns))
    ratios = [
        _spread(cup, rows) / jnp.maximum(_spread(disc, rows), 1e-3),
        _spread(cup, columns) / jnp.maximum(_spread(disc, columns), 1e-3),
        _total(cup) / jnp.maximum(area, 1.0),
        _longest_column(cup) / jnp.maximum(_longest_column(disc), 1.0),
        2 * jnp.sqrt(area / jnp.pi) / disc.shape[1] * 2,
    ]
    angle = jnp.arctan2(rows - y[:, None, None], columns - x[:, None, None])
    sector = jnp.floor(angle / (2 * jnp.pi) * SECTORS + 0.5).astype(jnp.int32) % SECTORS
    for k in range(SECTORS):
        within = (sector == k).astype(jnp.float32)
        ratios.append(1 - _total(cup * within) / jnp.maximum(_total(disc * within), 0.5))
    measures = 4 * (jnp.stack(ratios, axis=-1) - 0.5)
    return jnp.where(area[:, None] >= 1.0, measures, 0.0)


def _counted(probability: jax.Array) -> jax.Array:
    return jnp.clip(2 * probability - 0.5, 0.0, 1.0)


def _total(values: jax.Array) -> jax.Array:
    """(B, h, w) -> (B,)."""
    return jnp.sum(values, axis=(1, 2))


def _spread(mask: jax.Array, position: jax.Array) -> jax.Array:
    """(B, h, w) -> (B,): standard deviation of the position; a single pixel has 1 / sqrt(12)."""
    area = jnp.maximum(_total(mask), 1e-3)
    mean = _total(mask * position) / area
    variance = _total(mask * jnp.square(position - mean[:, None, None])) / area
    return jnp.sqrt(variance + 1 / 12) * jnp.minimum(_total(mask), 1.0)


def _longest_column(mask: jax.Array) -> jax.Array:
    """(B, h, w) -> (B,): the largest sum over the rows of a column."""
    return jnp.max(jnp.sum(mask, axis=1), axis=-1)

"""Losses of the segmentation head: pixel cross entropy and soft Dice over the disc's regions."""

import chex
import jax
import jax.numpy as jnp

from imo_jax.labels import IGNORE, REGIONS
from imo_jax.losses.sums import Sum

# What the cross entropy is divided by -> does a pixel count, given "has a label".
DIVIDE_BY = {
    "counted": lambda labelled: labelled,
    "all": jnp.ones_like,  # as released: ignored pixels dilute the loss
}


def segmentation_count(labels: jax.Array, has_mask: jax.Array, divide_by: str) -> jax.Array:
    """Pixels that the cross entropy is divided by (float32 scalar), from labels alone.

    Args:
      labels: (B, H, W) int32 class ids, 255 = ignore.
      has_mask: (B,) bool; eyes without a mask count nothing.
      divide_by: "counted" (pixels with a label) or "all" (every pixel of the eyes with masks).

    Raises:
      ValueError: unknown `divide_by`.
    """
    if divide_by not in DIVIDE_BY:
        raise ValueError(f"divide_by is {divide_by!r}; choose one of {sorted(DIVIDE_BY)}")
    counts = DIVIDE_BY[divide_by](labels != IGNORE) & has_mask[:, None, None]
    return jnp.sum(counts, dtype=jnp.float32)


def segmentation_cross_entropy(
    logits: jax.Array, labels: jax.Array, has_mask: jax.Array, *, divide_by: str = "counted"
) -> Sum:
    """Cross entropy summed over the pixels that have a label.

    Args:
      logits: (B, H, W, C), any float dtype; the mathematics is float32.
      labels: (B, H, W) int32 class ids in 0..C-1, or 255 = ignore.
      has_mask: (B,) bool; where False the labels are not looked at.
      divide_by: what the count is, see `segmentation_count`. "all" is the released behaviour,
        "counted" makes the mean independent of how much of an image is padding.

    Returns:
      Sum of nats over pixels, and the pixels to divide by.

    Raises:
      AssertionError: other shapes.
    """
    _check_shapes(logits, labels, has_mask)
    log_probabilities = jax.nn.log_softmax(logits.astype(jnp.float32), axis=-1)
    # An id that is no class (255) gives a row of zeros, so an ignored pixel adds nothing.
    # (B, H, W) -> (B, H, W, C)
    target = jax.nn.one_hot(labels, logits.shape[-1], dtype=jnp.float32)
    target = jnp.where(has_mask[:, None, None, None], target, 0.0)
    return Sum(
        total=-jnp.sum(target * log_probabilities),
        count=segmentation_count(labels, has_mask, divide_by),
    )


def _check_shapes(logits: jax.Array, labels: jax.Array, has_mask: jax.Array) -> None:
    """Other shapes would be broadcast, and the loss be another one."""
    chex.assert_rank(logits, 4)
    chex.assert_shape(labels, logits.shape[:-1])
    chex.assert_shape(has_mask, logits.shape[:1])


def _region_is_there(labels: jax.Array, has_mask: jax.Array) -> jax.Array:
    """(B, regions) bool: the eye has a mask, and the region has at least one true pixel."""
    there = [_in_region(labels, ids).any(axis=(1, 2)) for ids in REGIONS.values()]
    return jnp.stack(there, axis=-1) & has_mask[:, None]


def _in_region(labels: jax.Array, ids: tuple[int, ...]) -> jax.Array:
    """(B, H, W) bool: the label is one of `ids`."""
    return jnp.stack([labels == i for i in ids]).any(axis=0)


def dice_count(labels: jax.Array, has_mask: jax.Array) -> jax.Array:
    """Eyes that `dice_loss` is divided by (float32 scalar): those with a disc in their mask.

    Args:
      labels: (B, H, W) int32 class ids, 255 = ignore.
      has_mask: (B,) bool.
    """
    return jnp.sum(_region_is_there(labels, has_mask).any(axis=-1), dtype=jnp.float32)


def dice_loss(
    logits: jax.Array, labels: jax.Array, has_mask: jax.Array, *, smooth: float = 1.0
) -> Sum:
    """Soft Dice loss per eye, averaged over the regions rim, cup and whole disc.

    For each region, dice = (2 sum(p y) + smooth) / (sum(p) + sum(y) + smooth), with p the softmax
    probability of the region (disc: rim + cup) and both sums over the pixels that have a label.

    - The three regions are those that are scored: cup and disc are what the vertical cup-to-disc
      ratio is made of, the rim is the paper's "optic disc" row. Their overlap is wanted: without
      the disc, a rim pixel called cup and a rim pixel called background would cost the same.
    - Sums are per eye, not per batch, since a small cup counts as much as a large one and the loss
      of an eye may not depend on its neighbours in the batch (or on the number of devices).
    - A region with no true pixel (no rim in total cupping, no disc in a crop beside it) is left
      out of the mean, and an eye without any is left out of the count: its Dice would be a
      constant whose gradient depends on `smooth` only. The cross entropy teaches such eyes.

    Args:
      logits: (B, H, W, C >= 3), any float dtype; the mathematics is float32.
      labels: (B, H, W) int32 class ids, 255 = ignore.
      has_mask: (B,) bool.
      smooth: pixels added to numerator and denominator, > 0.

    Returns:
      Sum over eyes of 1 - mean dice (each in 0..1), and the eyes counted (`dice_count`).

    Raises:
      AssertionError: other shapes.
    """
    _check_shapes(logits, labels, has_mask)
    probabilities = jax.nn.softmax(logits.astype(jnp.float32), axis=-1)
    labelled = (labels != IGNORE).astype(jnp.float32)
    dice = []
    for ids in REGIONS.values():
        truth = _in_region(labels, ids).astype(jnp.float32)
        predicted = sum(probabilities[..., i] for i in ids) * labelled
        intersection = jnp.sum(predicted * truth, axis=(1, 2))
        areas = jnp.sum(predicted, axis=(1, 2)) + jnp.sum(truth, axis=(1, 2))
        dice.append((2.0 * intersection + smooth) / (areas + smooth))
    there = _region_is_there(labels, has_mask)
    regions = jnp.sum(there, axis=-1, dtype=jnp.float32)
    # (B, regions) -> (B,): mean over the regions that are there
    loss = jnp.sum(jnp.where(there, 1.0 - jnp.stack(dice, axis=-1), 0.0), axis=-1)
    total = jnp.sum(loss / jnp.maximum(regions, 1.0))
    return Sum(total=total, count=dice_count(labels, has_mask))

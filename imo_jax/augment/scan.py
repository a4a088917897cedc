"""Augmentation for screening: B-scan triplets and whole cubes, mirrored, shifted and distorted."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from imo_jax.augment import words
from imo_jax.augment.draws import either_way, random_words, uniform
from imo_jax.augment.scan_config import ScanAugmentConfig
from imo_jax.augment.speckle import speckled

Batch = dict[str, jax.Array]
MOVED_AXES = {"scan": 2, "cube": 3}  # the first ones of an image
WORDS = {"scan": "pixels", "cube": "voxels"}  # what an augmented part is called


class ImageDraws(NamedTuple):
    """The random numbers of examples, float32 shares in [0, 1) but `speckle`.

    Attributes:
      flip, brightness, contrast: (B,).
      shifts: (B, 2) of a scan's depth and width, (B, 3) of a cube's slices, depth and width.
      speckle: uint32; of scans (B, depth, width), of which the three lower bytes are used; of cubes
        (B, ceil(voxels / 4)), each byte for a quarter of the voxels; None without speckle.
    """

    flip: jax.Array
    brightness: jax.Array
    contrast: jax.Array
    shifts: jax.Array
    speckle: jax.Array | None


def draw_images(
    keys: jax.Array, part: str, shape: tuple[int, ...], config: ScanAugmentConfig
) -> ImageDraws:
    """The random numbers of examples, each a function of its key.

    Args:
      keys: (B,) typed keys, as `augmentation_keys` gives them.
      part: "scan" or "cube".
      shape: of one image: (depth, width, 3), or (slices, depth, width).
      config: whether there is speckle changes what is drawn, no other setting does.
    """
    share = uniform(keys, 3 + MOVED_AXES[part])
    speckle = None
    if config.speckle > 0:
        wanted = shape[:2] if part == "scan" else (-(-math.prod(shape) // words.LANES),)
        speckle = random_words(keys, wanted)
    return ImageDraws(share[:, 0], share[:, 1], share[:, 2], share[:, 3:], speckle)


def apply_images(batch: Batch, draws: ImageDraws, config: ScanAugmentConfig) -> Batch:
    """Random views of B-scan triplets, which move together, or of cubes.

    Args:
      batch: `scan` uint8 (B, depth, width, 3) or `cube` uint8 (B, slices, depth, width); other
        entries are passed on.
      draws: their random numbers.
      config: the ranges.

    Returns: the batch with, instead of `scan`, `pixels` uint32 (B, depth, width), whose three lower
      bytes are the B-scans; instead of `cube`, `voxels` uint32 (B, ceil(voxels / 4)), whose bytes are
      the four quarters of the voxels.
    """
    part = "scan" if "scan" in batch else "cube"
    images = batch[part]
    axes = images.shape[1 : 1 + MOVED_AXES[part]]
    if part == "scan":
        images = words.joined([images[..., channel] for channel in range(3)])
    shown = words.take(images, _places(axes, draws, config))
    lanes = words.lanes(shown)[:3] if part == "scan" else _quarters(shown)
    mean = _total(lanes) / math.prod(batch[part].shape[1:])
    greys = _changed(lanes, mean, draws, config)
    if draws.speckle is not None:
        picks = words.lanes(draws.speckle)[: len(greys)]
        greys = [
            speckled(grey, pick, config.speckle) for grey, pick in zip(greys, picks, strict=True)
        ]
    rest = {name: value for name, value in batch.items() if name != part}
    return rest | {WORDS[part]: words.joined(greys)}


def _quarters(voxels: jax.Array) -> list[jax.Array]:
    """(B, ...) -> four (B, ceil(voxels / 4)), one after the other, filled up with zeros."""
    flat = voxels.reshape(len(voxels), -1)
    missing = -flat.shape[1] % words.LANES
    parts = jnp.pad(flat, ((0, 0), (0, missing))).reshape(len(voxels), words.LANES, -1)
    return [parts[:, lane] for lane in range(words.LANES)]


def _places(axes: tuple[int, ...], draws: ImageDraws, config: ScanAugmentConfig) -> jax.Array:
    """int32 (B, *axes): the flat place, in the batch, of the pixel or voxel that is seen.

    Images move by whole pixels; the edge is repeated where one shows nothing. The last axis is the
    width, which a flip reverses before that.
    """
    batch = len(draws.flip)
    flipped = (draws.flip < config.flip_probability)[:, None]
    places = jnp.arange(batch)
    for number, size in enumerate(axes):
        share = config.translate * either_way(draws.shifts[:, number])
        pixels = jnp.rint(share * size).astype(jnp.int32)
        # (B, size)
        seen = jnp.clip(jnp.arange(size)[None] - pixels[:, None], 0, size - 1)
        if number == len(axes) - 1:
            seen = jnp.where(flipped, size - 1 - seen, seen)
        # (B, ...) and (B, size) -> (B, ..., size)
        seen = seen.reshape(batch, *[1] * number, size)
        places = places[..., None] * size + seen
    return places


def _total(lanes: list[jax.Array]) -> jax.Array:
    """(B,) float32: the sum of all lanes (B, ...) of an image."""
    # Sums of whole numbers are exact, up to 67 million voxels of a cube.
    lines = sum(jnp.sum(lane.astype(jnp.uint32), axis=-1).astype(jnp.float32) for lane in lanes)
    return jnp.sum(lines.reshape(len(lines), -1), axis=1)


def _changed(
    lanes: list[jax.Array], mean: jax.Array, draws: ImageDraws, config: ScanAugmentConfig
) -> list[jax.Array]:
    """Distances from the mean grey (B,) times a factor, and a grey level added; float32, whole."""
    ones = [1] * (lanes[0].ndim - 1)
    mean, added, factor = (
        value.reshape(-1, *ones)
        for value in (
            mean,
            config.brightness * either_way(draws.brightness),
            1 + config.contrast * either_way(draws.contrast),
        )
    )
    return [
        jnp.rint(jnp.clip((lane.astype(jnp.float32) - mean) * factor + mean + added, 0, 255))
        for lane in lanes
    ]


def unpack_images(batch: Batch, part: str, shape: tuple[int, ...]) -> Batch:
    """What objectives read, from what `apply_images` gives; on any leading axes.

    Args:
      batch: `pixels` or `voxels`.
      part: "scan" or "cube".
      shape: of one image: (depth, width, 3), or (slices, depth, width).

    Returns: the batch with `scan` or `cube`, uint8 (..., *shape), instead of them.
    """
    lanes = words.lanes(batch[WORDS[part]])
    if part == "scan":
        image = jnp.stack(lanes[:3], axis=-1)
    else:
        voxels = jnp.concatenate(lanes, axis=-1)[..., : math.prod(shape)]
        image = voxels.reshape(*voxels.shape[:-1], *shape)
    rest = {name: value for name, value in batch.items() if name != WORDS[part]}
    return rest | {part: image.astype(jnp.uint8)}

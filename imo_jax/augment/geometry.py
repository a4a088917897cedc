"""Where training crops lie: for each an affine map from its pixels to those of the working image.

Coordinates are continuous, x to the right and y down; pixel (row i, column j) covers
[j, j + 1) x [i, i + 1), so its centre is at (j + 0.5, i + 0.5). The *plane* is the working image
resized and turned about its centre; a crop is a square window of the plane. Sums are written out
and not as matrix products, which an accelerator may round.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri

from imo_jax.augment import words
from imo_jax.augment.config import AugmentConfig
from imo_jax.augment.draws import between, either_way
from imo_jax.labels import CUP, IGNORE, RIM

# Of a crop's labelled pixels at most this share may have the same id (released code) ...
CAT_MAX_RATIO = 0.75
# ... unless so many draws fail.
CROP_RETRIES = 10
FARTHEST = 2.5  # standard deviations that a square is moved off the middle


class Plane(NamedTuple):
    """The plane of each image: point (x, y) of it shows the image's point
    (cosine x + sine y + left, -sine x + cosine y + top); arrays (B,) float32.

    Attributes:
      scale: side of the image in the plane over its side.
    """

    scale: jax.Array
    cosine: jax.Array
    sine: jax.Array
    left: jax.Array
    top: jax.Array


class Placement(NamedTuple):
    """Crops; beyond `content` pixels each way they are padding.

    Attributes:
      matrix: six (B,) float32 a, b, c, d, e, f: crop point (x, y) shows the image at
        (ax + by + c, dx + ey + f).
      content: (B,) float32, whole.
      mirrored: (B,) bool.
    """

    matrix: tuple[jax.Array, ...]
    content: jax.Array
    mirrored: jax.Array


class Draws(NamedTuple):
    """Shares in [0, 1) of what geometry draws.

    Attributes:
      scale, angle, mirror: (B,) float32.
      position: (B, 2) float32, x and y; with `crop_mode` "released" (B, CROP_RETRIES, 2).
    """

    scale: jax.Array
    angle: jax.Array
    mirror: jax.Array
    position: jax.Array


def placed(mask: jax.Array, has_mask: jax.Array, draws: Draws, config: AugmentConfig) -> Placement:
    """Scale, rotation, mirror and position of crops.

    Args:
      mask: uint8 (B, side, side) ids {0, 1, 2, 255}.
      has_mask: (B,) bool.
      draws: see Draws.
      config: the ranges.

    Raises ValueError where `crop_mode` is "none" and `crop_size` is not `side`.
    """
    side, crop = mask.shape[-1], config.crop_size
    scale = between(config.scale_min, config.scale_max, draws.scale)
    angle = jnp.deg2rad(config.rotate_degrees) * either_way(draws.angle)
    mirrored = (draws.mirror < 0.5) & config.flip
    if config.crop_mode == "released":
        # The resized image has whole pixels, as has the crop's offset.
        resized = jnp.floor(side * scale + 0.5)
        plane = plane_of(side, resized / side, angle)
        left, top = _released_offset(mask, has_mask, plane, resized, crop, draws.position)
        return placement(plane, left, top, jnp.minimum(crop, resized), mirrored)

    plane = plane_of(side, scale, angle)
    if config.crop_mode == "none":
        if crop != side:
            raise ValueError(
                f"crop_mode=none shows the whole image of {side} pixels, but crop_size="
                f"{crop}; set crop_size={side} or another crop_mode"
            )
        left = top = (scale * side - side) / 2
    elif config.crop_mode == "square":
        # Normal numbers, cut where a hundredth of them lies beyond.
        moves = jnp.clip(ndtri(draws.position), -FARTHEST, FARTHEST) * config.crop_shift * crop
        left, top = ((scale * side - crop) / 2 + moves[:, axis] for axis in (0, 1))
    else:
        room = jnp.stack([jnp.minimum(0, scale * side - crop), jnp.maximum(0, scale * side - crop)])
        ranges = (room, room)
        if config.crop_mode == "disc":
            ranges = _around_disc(mask, has_mask, plane, crop, room)
        left, top = (
            between(*ranges[axis], draws.position[:, axis]) for axis in (0, 1)
        )
    return placement(plane, left, top, jnp.full_like(scale, crop), mirrored)


def plane_of(side: int, scale: jax.Array, angle: jax.Array) -> Plane:
    """The image of `side` pixels resized by (B,) scales and turned by (B,) angles (radians)."""
    cosine, sine, middle = jnp.cos(angle), jnp.sin(angle), side / 2
    return Plane(
        scale,
        cosine / scale,
        sine / scale,
        middle * (1 - (cosine + sine)),
        middle * (1 - (cosine - sine)),
    )


def placement(
    plane: Plane, left: jax.Array, top: jax.Array, content: jax.Array, mirrored: jax.Array
) -> Placement:
    """Crops at (B,) left and top of the plane; mirrored ones run from right to left."""
    # Plane point = (left + x, top + y), or (left + content - x, top + y) in the mirror.
    sign = jnp.where(mirrored, -1.0, 1.0)
    start = jnp.where(mirrored, left + content, left)
    matrix = (
        plane.cosine * sign,
        plane.sine,
        plane.cosine * start + plane.sine * top + plane.left,
        -plane.sine * sign,
        plane.cosine,
        -plane.sine * start + plane.cosine * top + plane.top,
    )
    return Placement(matrix, content, mirrored)


def _around_disc(
    mask: jax.Array, has_mask: jax.Array, plane: Plane, crop: int, room: jax.Array
) -> list[jax.Array]:
    """For x and y the (2, B) lowest and highest offset of crops that hold the whole disc.

    Without a disc they are `room`. A disc larger than the crop is centred.
    """
    low, high, has_disc = _disc_box(mask, plane)
    ranges = []
    for axis in (0, 1):
        around = jnp.stack([high[axis] - crop, low[axis]])
        fits = around[0] <= around[1]
        around = jnp.where(fits, around, jnp.mean(around, axis=0))
        # The disc comes first: what leaves no room for it yields.
        held = jnp.clip(room, around[:1], around[1:])
        ranges.append(jnp.where((has_mask & has_disc)[None], held, room))
    return ranges


def _disc_box(mask: jax.Array, plane: Plane) -> tuple[list[jax.Array], list[jax.Array], jax.Array]:
    """Smallest and largest (x, y) of the disc in the plane, and whether there is one, all (B,)."""
    side = mask.shape[-1]
    disc = (mask == RIM) | (mask == CUP)
    column = jnp.arange(side)[None, None]
    # (B, side, side) -> (B, side): the first and the last column of the disc in each row
    first = jnp.min(jnp.where(disc, column, side), axis=-1)
    last = jnp.max(jnp.where(disc, column, -1), axis=-1)
    has_row = last >= 0
    middle_y = jnp.arange(side, dtype=jnp.float32)[None] + 0.5
    cosine, sine, scale, left, top = (
        value[:, None] for value in (plane.cosine, plane.sine, plane.scale, plane.left, plane.top)
    )
    # Both coordinates of the plane run evenly along a row: they are extreme at its ends.
    found = [[], []]
    for end in (first, last):
        x, y = end.astype(jnp.float32) + 0.5 - left, middle_y - top
        found[0].append(scale**2 * (cosine * x - sine * y))
        found[1].append(scale**2 * (sine * x + cosine * y))
    # From pixel centres to pixel corners.
    reach = plane.scale**2 * (jnp.abs(plane.cosine) + jnp.abs(plane.sine)) / 2
    low, high = [], []
    for ends in found:
        both, rows = jnp.stack(ends, axis=-1), has_row[..., None]  # (B, side, 2)
        low.append(jnp.min(jnp.where(rows, both, jnp.inf), axis=(1, 2)) - reach)
        high.append(jnp.max(jnp.where(rows, both, -jnp.inf), axis=(1, 2)) + reach)
    return low, high, jnp.any(has_row, axis=-1)


def _released_offset(
    mask: jax.Array,
    has_mask: jax.Array,
    plane: Plane,
    resized: jax.Array,
    crop: int,
    positions: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Random windows of the resized images; drawn again while one id fills most of one.

    Args:
      positions: (B, CROP_RETRIES, 2) shares of the room there is.
    """
    room = jnp.maximum(resized - crop, 0)[:, None, None] + 1
    # (B, CROP_RETRIES, 2)
    offsets = jnp.minimum(jnp.floor(positions * room), room - 1)
    window = jnp.minimum(crop, resized)

    def at(tries: jax.Array) -> tuple[jax.Array, jax.Array]:
        chosen = jnp.take_along_axis(offsets, tries[:, None, None], axis=1)[:, 0]
        return chosen[:, 0], chosen[:, 1]

    def again(tries: jax.Array) -> jax.Array:
        whole = placement(plane, *at(tries), window, jnp.zeros(len(mask), bool))
        ids = moved_mask(mask, whole, crop)
        counts = jnp.stack(
            [jnp.sum(ids == label, axis=(1, 2), dtype=jnp.float32) for label in (0, RIM, CUP)]
        )
        largest, total = jnp.max(counts, axis=0), jnp.sum(counts, axis=0)
        mixed = (largest < total) & (largest < CAT_MAX_RATIO * total)
        return has_mask & ~mixed & (tries < CROP_RETRIES - 1)

    def step(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        tries, going_on = state
        tries = jnp.where(going_on, tries + 1, tries)
        return tries, going_on & again(tries)

    start = jnp.zeros(len(mask), jnp.int32)
    tries, _ = jax.lax.while_loop(lambda state: jnp.any(state[1]), step, (start, again(start)))
    return at(tries)


def _shown(
    place: Placement, size: int, side: int
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Where the pixels of crops of `size` look: x and y (B, size, size) in images of `side` pixels,
    whether there is an image, and whether it is no padding."""
    centre = jnp.arange(size, dtype=jnp.float32) + 0.5
    column, row = centre[None, None, :], centre[None, :, None]
    a, b, c, d, e, f = (value[:, None, None] for value in place.matrix)
    x, y = a * column + b * row + c, d * column + e * row + f
    content = place.content[:, None, None]
    return x, y, (x >= 0) & (x < side) & (y >= 0) & (y < side), (column < content) & (row < content)


def moved_mask(mask: jax.Array, place: Placement, size: int) -> jax.Array:
    """uint8 (B, S, S) ids -> uint8 (B, size, size), nearest; 255 outside and in the padding."""
    side = mask.shape[-1]
    x, y, inside, content = _shown(place, size, side)
    column, row = (jnp.clip(jnp.floor(v), 0, side - 1).astype(jnp.int32) for v in (x, y))
    start = side * side * jnp.arange(len(mask))[:, None, None]
    return jnp.where(inside & content, words.take(mask, start + row * side + column), IGNORE)


def moved(
    fundus: jax.Array, mask: jax.Array, place: Placement, size: int
) -> tuple[list[jax.Array], jax.Array, jax.Array]:
    """Photographs and masks under the same crops, bilinear without antialiasing and nearest.

    Args:
      fundus: uint8 (B, S, S, 3).
      mask: uint8 (B, S, S).
      place: of the crops.
      size: their side.

    Returns:
      Red, green and blue, each float32 (B, size, size) in 0..255 and not rounded, black outside;
      mask uint32 (B, size, size), 255 outside; and whether a pixel is none of the padding, bool
      (B, size, size), for which neither cares.
    """
    side = mask.shape[-1]
    pixels = words.joined([fundus[..., 0], fundus[..., 1], fundus[..., 2], mask])
    # A border that repeats the edge: the four neighbours of a point are then always there.
    pixels = jnp.pad(pixels, ((0, 0), (1, 1), (1, 1)), mode="edge")
    stride = side + 2
    x, y, inside, content = _shown(place, size, side)
    # From corners of pixels to centres, and by the border.
    x, y = x + 0.5, y + 0.5
    column, row = jnp.clip(jnp.floor(x), 0, side), jnp.clip(jnp.floor(y), 0, side)
    right, down = x - column, y - row
    start = stride * stride * jnp.arange(len(mask))[:, None, None]
    corner = start + row.astype(jnp.int32) * stride + column.astype(jnp.int32)
    four = [words.take(pixels, corner + step) for step in (0, 1, stride, stride + 1)]
    planes = []
    for channel in range(3):
        a, b, c, d = (words.lanes(word)[channel].astype(jnp.float32) for word in four)
        above, below = a + (b - a) * right, c + (d - c) * right
        planes.append(jnp.where(inside, above + (below - above) * down, 0))
    a, b, c, d = four
    nearest = jnp.where(down < 0.5, jnp.where(right < 0.5, a, b), jnp.where(right < 0.5, c, d))
    return planes, jnp.where(inside, words.lanes(nearest)[3], IGNORE), content

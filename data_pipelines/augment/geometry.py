"""Where a training crop lies: one affine map from its pixels to those of the working image.

Coordinates are continuous, x to the right and y down; pixel (row i, column j) covers
[j, j + 1) x [i, i + 1), so its centre is at (j + 0.5, i + 0.5). The *plane* is the working image
resized and turned about its centre; a crop is a square window of the plane.
"""

import dataclasses

import numpy as np
from PIL import Image
from scipy.special import ndtri

from data_pipelines.augment.config import AugmentConfig
from data_pipelines.images import CUP, IGNORE, RIM

OUTSIDE = IGNORE  # what the mask says where the crop shows no image
# Of a crop's labelled pixels at most this share may have the same id (released code) ...
CAT_MAX_RATIO = 0.75
# ... unless so many draws fail.
CROP_RETRIES = 10
FARTHEST = 2.5  # standard deviations that a square is moved off the middle


@dataclasses.dataclass(frozen=True)
class Placement:
    """A crop of `size` x `size` pixels; the rest beyond `content` pixels each way is padding.

    `matrix` (a, b, c, d, e, f): crop point (x, y) shows the image at (ax+by+c, dx+ey+f).
    """

    size: int
    content: int
    matrix: tuple[float, float, float, float, float, float]
    flipped: bool


def draw_placement(
    mask: np.ndarray | None, side: int, config: AugmentConfig, rng: np.random.Generator
) -> Placement:
    """Draws scale, rotation, mirror and crop position.

    Args:
      mask: uint8 (side, side) ids {0, 1, 2, 255}, or None where the eye has no mask.
      side: side of the working image in pixels.
      config: the ranges.
      rng: the example's generator; the number of draws does not depend on other settings than
        `crop_mode`.

    Raises ValueError where `crop_mode` is "none" and `crop_size` is not `side`.
    """
    scale = rng.uniform(config.scale_min, config.scale_max)
    angle = np.deg2rad(config.rotate_degrees) * rng.uniform(-1, 1)
    flipped = bool(rng.random() < 0.5) and config.flip
    if config.crop_mode == "released":
        # The resized image has whole pixels, as has the crop's offset.
        resized = int(side * scale + 0.5)
        to_image = plane_to_image(side, resized / side, angle)
        left, top = _released_offset(mask, to_image, resized, config.crop_size, rng)
        content = min(config.crop_size, resized)
        return _placement(to_image, left, top, config.crop_size, content, flipped)

    to_image = plane_to_image(side, scale, angle)
    draw = rng.random(2)
    if config.crop_mode == "none":
        if config.crop_size != side:
            raise ValueError(
                f"crop_mode=none shows the whole image of {side} pixels, but crop_size="
                f"{config.crop_size}; set crop_size={side} or another crop_mode"
            )
        left = top = (scale * side - side) / 2
    elif config.crop_mode == "square":
        middle = (scale * side - config.crop_size) / 2
        # Two draws of a normal distribution, cut where a hundredth of it lies beyond.
        moves = np.clip(ndtri(draw), -FARTHEST, FARTHEST) * config.crop_shift * config.crop_size
        left, top = (float(middle + move) for move in moves)
    else:
        box = _disc_box(mask, to_image) if config.crop_mode == "disc" else None
        left, top = _offset(box, scale * side, config.crop_size, draw)
    return _placement(to_image, left, top, config.crop_size, config.crop_size, flipped)


def plane_to_image(side: int, scale: float, angle: float) -> np.ndarray:
    """(2, 3) affine map from the plane to the image: turn back about the centre, undo the scale."""
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    linear = np.array([[cosine, sine], [-sine, cosine]])
    centre = np.full(2, side / 2)
    return np.column_stack([linear, centre - linear @ (scale * centre)])


def _placement(
    to_image: np.ndarray, left: float, top: float, size: int, content: int, flipped: bool
) -> Placement:
    linear, offset = to_image[:, :2], to_image[:, 2]
    # Plane point = (left + x, top + y), or (left + content - x, top + y) in the mirror.
    mirror = np.diag([-1.0 if flipped else 1.0, 1.0])
    start = np.array([left + content if flipped else left, top])
    matrix = np.column_stack([linear @ mirror, linear @ start + offset])
    return Placement(size, content, tuple(matrix.ravel().tolist()), flipped)


def _disc_box(mask: np.ndarray | None, to_image: np.ndarray) -> np.ndarray | None:
    """(2, 2) smallest and largest (x, y) of the disc in the plane; None without a disc."""
    if mask is None:
        return None
    disc = (mask == RIM) | (mask == CUP)
    rows = np.flatnonzero(disc.any(axis=1))
    if not len(rows):
        return None
    columns = np.flatnonzero(disc.any(axis=0))
    # Only the pixels of its box are turned, which is quicker than to look at all.
    y, x = np.nonzero(disc[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    linear, offset = to_image[:, :2], to_image[:, 2]
    centres = np.stack([x + columns[0] + 0.5, y + rows[0] + 0.5])
    points = np.linalg.solve(linear, centres - offset[:, None])  # (2, pixels)
    # From pixel centres to pixel corners.
    reach = np.abs(np.linalg.inv(linear)).sum(axis=1) / 2
    return np.stack([points.min(axis=1) - reach, points.max(axis=1) + reach])


def _offset(
    box: np.ndarray | None, plane: float, crop: int, draw: np.ndarray
) -> tuple[float, float]:
    """Left and top of a crop: in the plane (or around it, where smaller) and around the box."""
    low = np.full(2, min(0.0, plane - crop))
    high = np.full(2, max(0.0, plane - crop))
    if box is not None:
        around_low, around_high = box[1] - crop, box[0]
        middle = (around_low + around_high) / 2  # a disc larger than the crop is centred
        fits = around_low <= around_high
        around_low = np.where(fits, around_low, middle)
        around_high = np.where(fits, around_high, middle)
        # The disc comes first: what leaves no room for it yields.
        low = np.clip(low, around_low, around_high)
        high = np.clip(high, around_low, around_high)
    left, top = low + draw * (high - low)
    return float(left), float(top)


def _released_offset(
    mask: np.ndarray | None, to_image: np.ndarray, resized: int, crop: int, rng: np.random.Generator
) -> tuple[int, int]:
    """A random window of the resized image; drawn again while one id fills most of it."""
    margin = max(resized - crop, 0)
    window = min(crop, resized)
    for _ in range(CROP_RETRIES):
        left, top = (int(value) for value in rng.integers(0, margin + 1, 2))
        if mask is None:
            break
        placed = _placement(to_image, left, top, window, window, False)
        counts = np.bincount(move_mask(mask, placed).ravel(), minlength=256)[:OUTSIDE]
        counts = counts[counts > 0]
        if len(counts) > 1 and counts.max() / counts.sum() < CAT_MAX_RATIO:
            break
    return left, top


def move_image(image: np.ndarray, placed: Placement) -> np.ndarray:
    """uint8 (S, S, 3) -> uint8 (size, size, 3), bilinear without antialiasing; outside is black."""
    return _move(image, placed, Image.Resampling.BILINEAR, (0, 0, 0))


def move_mask(mask: np.ndarray, placed: Placement) -> np.ndarray:
    """uint8 (S, S) ids -> uint8 (size, size) ids, nearest; outside is 255."""
    return _move(mask, placed, Image.Resampling.NEAREST, OUTSIDE)


def _move(pixels: np.ndarray, placed: Placement, resampling, fill) -> np.ndarray:
    moved = Image.fromarray(pixels).transform(
        (placed.size, placed.size),
        Image.Transform.AFFINE,
        placed.matrix,
        resampling,
        fillcolor=fill,
    )
    return np.array(moved)

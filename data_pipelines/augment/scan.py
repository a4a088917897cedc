"""Augmentation for screening: B-scan triplets and whole cubes, mirrored, shifted and distorted."""

import dataclasses

import numpy as np

from data_pipelines.augment.config import setting
from data_pipelines.augment.volume import add_speckle


@dataclasses.dataclass(frozen=True)
class ScanAugmentConfig:
    """What is drawn for each training example; a zero switches its part off.

    Raises ValueError on construction for a range that makes no sense, naming the setting.
    """

    flip_probability: float = setting(
        0.5, "probability that a training B-scan or cube is mirrored along its width"
    )
    right_as_left: bool = setting(
        False,
        "mirror the volumes of right eyes, in training and everywhere else, so that all look like "
        "left ones",
    )
    translate: float = setting(
        0.05, "largest shift along each axis, as a fraction of it; edges are repeated"
    )
    brightness: float = setting(16.0, "largest grey levels (of 255) added or taken off")
    contrast: float = setting(0.2, "contrast is multiplied by 1 - contrast .. 1 + contrast")
    speckle: float = setting(0.1, "standard deviation of multiplicative speckle")

    def __post_init__(self) -> None:
        limits = {"flip_probability": 1, "translate": 1, "brightness": 255, "contrast": 1,
                  "speckle": 5}  # fmt: skip
        problems = [
            f"{name}={getattr(self, name)} lies outside 0..{limit}"
            for name, limit in limits.items()
            if not 0 <= getattr(self, name) <= limit
        ]
        if problems:
            raise ValueError("augmentation: " + "; ".join(problems))


def mirror_width(image: np.ndarray, width_axis: int) -> np.ndarray:
    """The image of the mirrored eye: a view, reversed along its width."""
    return np.flip(image, width_axis)


def augment_scan(
    scan: np.ndarray, is_right: bool, config: ScanAugmentConfig, rng: np.random.Generator
) -> np.ndarray:
    """A random view of three neighbouring B-scans, which move together.

    Args:
      scan: uint8 (depth, width, 3).
      is_right: whether it shows a right eye.
      config: the ranges.
      rng: the only source of randomness; no setting changes what the others draw.

    Returns: uint8 (depth, width, 3).
    """
    return _augment(scan, (0, 1), 1, is_right, config, rng)


def augment_cube(
    cube: np.ndarray, is_right: bool, config: ScanAugmentConfig, rng: np.random.Generator
) -> np.ndarray:
    """A random view of a cube, uint8 (slices, depth, width); otherwise as augment_scan."""
    return _augment(cube, (0, 1, 2), 2, is_right, config, rng)


def _augment(
    image: np.ndarray,
    moved_axes: tuple[int, ...],
    width_axis: int,
    is_right: bool,
    config: ScanAugmentConfig,
    rng: np.random.Generator,
) -> np.ndarray:
    flip, brightness, contrast, *shifts = rng.random(3 + len(moved_axes))
    if (is_right and config.right_as_left) != (flip < config.flip_probability):
        image = mirror_width(image, width_axis)
    for axis, shift in zip(moved_axes, shifts, strict=True):
        image = _shift(image, axis, config.translate * (2 * shift - 1))
    image = _change_greys(
        image,
        added=config.brightness * (2 * brightness - 1),
        factor=1 + config.contrast * (2 * contrast - 1),
    )
    if config.speckle > 0:
        image = add_speckle(image, config.speckle, rng)
    return image


def _shift(image: np.ndarray, axis: int, fraction: float) -> np.ndarray:
    """Moved by whole pixels; the edge is repeated where the image shows nothing."""
    size = image.shape[axis]
    pixels = round(fraction * size)
    if not pixels:
        return image
    return np.take(image, np.clip(np.arange(size) - pixels, 0, size - 1), axis)


def _change_greys(image: np.ndarray, added: float, factor: float) -> np.ndarray:
    """uint8: distances from the mean grey times the factor, and a grey level added."""
    mean = image.mean()
    levels = (np.arange(256) - mean) * factor + mean + added
    return np.take(np.rint(np.clip(levels, 0, 255)).astype(np.uint8), image)

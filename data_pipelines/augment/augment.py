"""One example augmented: geometry, then colour, then the OCT volume."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from data_pipelines.augment import colour, geometry, volume
from data_pipelines.augment.config import AugmentConfig

# The ImageNet mean, which becomes 0 when images are normalised: the released code pads after
# normalising, with zeros.
MEAN_COLOUR = (124, 116, 104)


def augment(
    example: Mapping[str, Any], config: AugmentConfig, rng: np.random.Generator
) -> dict[str, Any]:
    """A random view of an eye.

    Args:
      example: `fundus` uint8 (S, S, 3); `mask` uint8 (S, S) with ids {0, 1, 2, 255}; `has_mask`
        bool; optionally `oct` uint8 (depth, width, slices). Other entries are passed on.
      config: the ranges.
      rng: the only source of randomness. The same example, config and generator state give the
        same bits.

    Returns: a new dict with `fundus` (crop_size, crop_size, 3) and `mask` (crop_size, crop_size),
    255 where the crop shows no labelled pixel; `oct` keeps its shape; where it is withheld it is 0 and
    `has_oct` False.

    Raises ValueError where `crop_mode` is "none" and `crop_size` differs from S.
    """
    mask = example["mask"] if example["has_mask"] else None
    placed = geometry.draw_placement(mask, example["fundus"].shape[0], config, rng)
    fundus = geometry.move_image(example["fundus"], placed)
    fundus = colour.distort(fundus, config, rng)
    moved = geometry.move_mask(example["mask"], placed)
    if placed.content < placed.size:
        for pixels, fill in ((fundus, MEAN_COLOUR), (moved, geometry.OUTSIDE)):
            pixels[placed.content :] = fill
            pixels[:, placed.content :] = fill
    changed = {"fundus": fundus, "mask": moved}
    if "oct" in example:
        cube = example["oct"]
        if placed.flipped and config.oct_follows == "flip":
            cube = volume.mirror(cube)
        changed["oct"] = volume.distort(cube, config, rng)
        if rng.random() < config.oct_withheld:
            changed |= {"oct": np.zeros_like(cube), "has_oct": False}
    return {**example, **changed}


def crop_side(config: AugmentConfig | None, image_size: int) -> int:
    """Side of the images of a batch: `crop_size`, or the whole image where nothing is augmented."""
    return image_size if config is None else config.crop_size

"""Eyes augmented: photograph and mask move together, colours change, the OCT follows a mirror.

`draw_eyes` makes the random numbers of each example, `apply_eyes` is a function of an example and its numbers
alone. Images come out as words (`imo_jax.augment.words`); `unpack_eyes` reads them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from imo_jax.augment import colour, geometry, volume, words
from imo_jax.augment.config import AugmentConfig
from imo_jax.augment.draws import either_way, random_words, uniform
from imo_jax.labels import IGNORE

Batch = dict[str, jax.Array]

# The ImageNet mean, which becomes 0 when images are normalised: the released code pads after
# normalising, with zeros.
MEAN_COLOUR = (124, 116, 104)


class EyeDraws(NamedTuple):
    """The random numbers of examples, float32 shares in [0, 1) but `speckle`.

    Attributes:
      geometry: see geometry.Draws.
      chosen: (B, 4), whether brightness, contrast, saturation and hue change.
      contrast_first: (B,), whether contrast changes before saturation and hue.
      colour: (B, 4), how much each of the four changes.
      volume: (B, 3), of gain, gamma and shift.
      withheld: (B,), whether the OCT is withheld.
      speckle: uint32 (B, depth, width, ceil(slices / 4)), a random byte a voxel; None without OCT or
        speckle.
    """

    geometry: geometry.Draws
    chosen: jax.Array
    contrast_first: jax.Array
    colour: jax.Array
    volume: jax.Array
    withheld: jax.Array
    speckle: jax.Array | None


def draw_eyes(
    keys: jax.Array, config: AugmentConfig, oct_shape: tuple[int, int, int] | None
) -> EyeDraws:
    """The random numbers of examples, each a function of its key.

    Args:
      keys: (B,) typed keys, as `augmentation_keys` gives them.
      config: `crop_mode` and whether there is speckle change what is drawn, no other setting does.
      oct_shape: (depth, width, slices); None without OCT.
    """
    tries = geometry.CROP_RETRIES if config.crop_mode == "released" else 1
    share = uniform(keys, 16 + 2 * tries)
    position = share[:, 16:].reshape(-1, tries, 2)
    speckle = None
    if oct_shape is not None and config.oct_speckle > 0:
        depth, width, slices = oct_shape
        speckle = random_words(keys, (depth, width, -(-slices // words.LANES)))
    return EyeDraws(
        geometry=geometry.Draws(
            scale=share[:, 0],
            angle=share[:, 1],
            mirror=share[:, 2],
            position=position if tries > 1 else position[:, 0],
        ),
        chosen=share[:, 3:7],
        contrast_first=share[:, 7],
        colour=share[:, 8:12],
        volume=share[:, 12:15],
        withheld=share[:, 15],
        speckle=speckle,
    )


def apply_eyes(batch: Batch, draws: EyeDraws, config: AugmentConfig) -> Batch:
    """Random views of eyes.

    Args:
      batch: `fundus` uint8 (B, S, S, 3); `mask` uint8 (B, S, S) with ids {0, 1, 2, 255}; `has_mask`
        (B,) bool; optionally `oct` uint8 (B, depth, width, slices), with `has_oct` (B,) bool. Other
        entries are passed on.
      draws: their random numbers.
      config: the ranges.

    Returns: the batch with, instead of `fundus` and `mask`, `pixels` uint32 (B, crop_size, crop_size)
      of red, green, blue and mask id, 255 where the crop shows no labelled pixel; and instead of
      `oct`, `voxels` uint32 (B, depth, width, ceil(slices / 4)), 0 where the OCT is withheld, and
      where `has_oct` is then False.

    Raises ValueError where `crop_mode` is "none" and `crop_size` differs from S.
    """
    place = geometry.placed(batch["mask"], batch["has_mask"], draws.geometry, config)
    planes, mask, content = geometry.moved(
        batch["fundus"], batch["mask"], place, config.crop_size
    )
    planes = colour.changed(planes, colour_change(draws, config))
    if config.crop_mode == "released":  # no other pads
        filled = zip([*map(jnp.rint, planes), mask], [*MEAN_COLOUR, IGNORE], strict=True)
        pixels = words.joined([jnp.where(content, value, fill) for value, fill in filled])
    else:
        pixels = words.joined([*map(jnp.rint, planes), mask])
    rest = {name: value for name, value in batch.items() if name not in ("fundus", "mask", "oct")}
    if "oct" not in batch:
        return rest | {"pixels": pixels}
    has_oct = batch["has_oct"] & (draws.withheld >= config.oct_withheld)
    voxels = _changed_volume(batch["oct"], place.mirrored, draws, config)
    voxels = jnp.where(has_oct[:, None, None, None], voxels, 0)
    return rest | {"pixels": pixels, "voxels": voxels, "has_oct": has_oct}


def colour_change(draws: EyeDraws, config: AugmentConfig) -> colour.Change:
    """How the colours of each photograph change."""
    changes = jnp.where(draws.chosen < config.colour_probability, either_way(draws.colour), 0)
    brightness, contrast, saturation, hue = (changes[:, i] for i in range(4))
    return colour.Change(
        brightness=config.brightness * brightness,
        contrast=1 + config.contrast * contrast,
        contrast_first=draws.contrast_first < 0.5,
        saturation=1 + config.saturation * saturation,
        degrees=config.hue_degrees * hue,
    )


def _changed_volume(
    cube: jax.Array, mirrored: jax.Array, draws: EyeDraws, config: AugmentConfig
) -> jax.Array:
    gain, gamma, shift = (either_way(draws.volume[:, i]) for i in range(3))
    rows = jnp.rint(config.oct_shift * cube.shape[1] * shift).astype(jnp.int32)
    follows = mirrored & (config.oct_follows == "flip")
    curve = None
    if config.oct_gain > 0 or config.oct_gamma > 0:
        curve = volume.curves(1 + config.oct_gain * gain, jnp.exp(config.oct_gamma * gamma))
    voxels = volume.moved(words.of_bytes(cube), follows, rows)
    return volume.distorted(voxels, curve, draws.speckle, config.oct_speckle)


def unpack_eyes(batch: Batch, slices: int) -> Batch:
    """What objectives read, from what `apply_eyes` gives; on any leading axes.

    Args:
      batch: `pixels` uint32 (..., H, W), and `voxels` uint32 (..., depth, width, ceil(slices / 4))
        or none.
      slices: of the OCT.

    Returns: the batch with `fundus` uint8 (..., H, W, 3), `mask` int32 (..., H, W) and `oct` uint8
      (..., depth, width, slices).
    """
    rest = {name: value for name, value in batch.items() if name not in ("pixels", "voxels")}
    *colours, mask = words.lanes(batch["pixels"])
    rest |= {
        "fundus": jnp.stack(colours, axis=-1).astype(jnp.uint8),
        "mask": mask.astype(jnp.int32),
    }
    if "voxels" in batch:
        rest["oct"] = words.to_bytes(batch["voxels"], slices)
    return rest

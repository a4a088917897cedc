"""Augmentation of B-scans and cubes: each setting alone does what it says, and nothing else."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from eye_views import keys

from imo_jax.augment import scan
from imo_jax.augment.scan_config import ScanAugmentConfig

OFF = {"flip_probability": 0.0, "translate": 0.0, "brightness": 0.0, "contrast": 0.0,
       "speckle": 0.0}  # fmt: skip
RNG = np.random.default_rng(0)
SCAN = RNG.integers(60, 190, (20, 24, 3), np.uint8)
CUBE = RNG.integers(60, 190, (9, 11, 13), np.uint8)  # an odd number of voxels
BOTH = [("scan", SCAN, (0, 1), 1), ("cube", CUBE, (0, 1, 2), 2)]
PARTS = pytest.mark.parametrize(("part", "image"), [case[:2] for case in BOTH])


@functools.partial(jax.jit, static_argnames=("part", "config"))
def _looks(images, example_keys, part, config):
    shape = images.shape[1:]
    draws = scan.draw_images(example_keys, part, shape, config)
    return scan.unpack_images(scan.apply_images({part: images}, draws, config), part, shape)[part]


def looks(part, image, number=40, **settings):
    """So many views with these settings; all others are off."""
    config = ScanAugmentConfig(**(OFF | settings))
    return np.asarray(_looks(jnp.stack([image] * number), keys(number), part, config))


@PARTS
def test_all_off_is_the_image_itself(part, image):
    seen = looks(part, image)
    assert seen.dtype == np.uint8 and (seen == image).all()


def test_draws_become_a_view_by_hand():
    # Moved by rint(0.25 * 4) = 1 down and 1 left after the flip; mean 50, twice the distance, 10 more.
    image = np.zeros((1, 4, 4, 3), np.uint8)
    image[0] = np.arange(0, 100, 100 / 16, np.float32).reshape(4, 4, 1)
    ones = jnp.ones(1, jnp.float32)
    draws = scan.ImageDraws(0 * ones, 0.75 * ones, 1.0 * ones, jnp.array([[1.0, 0.0]]), None)
    config = ScanAugmentConfig(0.5, False, 0.25, 20.0, 1.0, 0.0)
    out = scan.unpack_images(
        scan.apply_images({"scan": jnp.asarray(image)}, draws, config), "scan", (4, 4, 3)
    )
    moved = image[0, [0, 0, 1, 2]][:, ::-1][:, [1, 2, 3, 3]].astype(float)
    expected = np.clip(np.rint(moved.mean() + 2 * (moved - moved.mean()) + 10), 0, 255)
    np.testing.assert_array_equal(out["scan"][0], expected)


@pytest.mark.parametrize(("part", "image", "width"), [(p, i, w) for p, i, _, w in BOTH])
@pytest.mark.parametrize("probability", [0.0, 0.25, 1.0])
def test_flip_mirrors_the_width_so_often(part, image, width, probability):
    seen = looks(part, image, 200, flip_probability=probability)
    flipped = [(look == np.flip(image, width)).all() for look in seen]
    kept = [(look == image).all() for look in seen]
    assert [a != b for a, b in zip(flipped, kept, strict=True)] == [True] * 200
    assert abs(np.mean(flipped) - probability) < 0.1


def moved(image, shifts):
    """By whole pixels along the first axes; edges are repeated."""
    for axis, shift in enumerate(shifts):
        size = image.shape[axis]
        image = np.take(image, np.clip(np.arange(size) - shift, 0, size - 1), axis)
    return image


@pytest.mark.parametrize(("part", "image", "axes"), [(p, i, a) for p, i, a, _ in BOTH])
def test_translate_moves_by_whole_pixels_and_repeats_edges(part, image, axes):
    sizes = [image.shape[axis] for axis in axes]
    limits = [range(-round(0.2 * size), round(0.2 * size) + 1) for size in sizes]
    shifts = set()
    for look in looks(part, image, translate=0.2):
        matches = [
            found for found in itertools.product(*limits) if (look == moved(image, found)).all()
        ]
        assert len(matches) == 1
        shifts.add(matches[0])
    assert len(shifts) > 8
    for position in range(len(axes)):
        values = {shift[position] for shift in shifts}
        assert min(values) < 0 < max(values)


def test_channels_move_together():
    one = np.repeat(SCAN[..., :1], 3, axis=2)
    seen = looks("scan", one, 10, translate=0.2, flip_probability=0.5)
    assert (seen == seen[..., :1]).all()


@PARTS
def test_brightness_adds_one_grey_level_to_all(part, image):
    difference = looks(part, image, brightness=20.0).astype(int) - image
    added = difference.reshape(40, -1)
    assert (np.ptp(added, axis=1) == 0).all()
    assert added.min() < -10 and added.max() > 10 and np.abs(added).max() <= 20


@PARTS
def test_contrast_stretches_about_the_mean(part, image):
    factors = []
    for look in looks(part, image, contrast=0.3):
        assert abs(look.mean() - image.mean()) < 0.5
        factors.append(look.std() / image.std())
    assert 0.69 < min(factors) < 0.85 and 1.15 < max(factors) < 1.31


@PARTS
def test_speckle_is_multiplicative_noise_of_this_deviation(part, image):
    ratios = looks(part, image, speckle=0.1) / image
    assert abs(ratios.mean() - 1) < 0.005 and abs(ratios.std() - 0.1) < 0.01
    # Neither examples nor the parts of an image repeat each other's numbers.
    assert len({look.tobytes() for look in ratios}) == 40
    quarters = np.array_split(ratios[0].ravel()[: ratios[0].size // 4 * 4], 4)
    assert np.abs(np.corrcoef(quarters) - np.eye(4)).max() < 0.2


def test_greys_stay_within_a_byte():
    for look in looks("scan", np.full((8, 8, 3), 250, np.uint8), 20, brightness=255.0):
        assert np.ptp(look) == 0
    seen = looks("scan", np.full((8, 8, 3), 250, np.uint8), 20, brightness=255.0)
    assert seen.max() == 255 and seen.min() < 100


def test_a_setting_does_not_change_what_the_others_draw():
    plain = looks("scan", SCAN, 20, translate=0.2, flip_probability=0.5)
    brighter = looks("scan", SCAN, 20, translate=0.2, flip_probability=0.5, brightness=1e-9)
    np.testing.assert_array_equal(plain, brighter)


@pytest.mark.parametrize(
    "setting",
    [{"flip_probability": 1.1}, {"translate": -0.1}, {"brightness": 300.0}, {"contrast": 1.5},
     {"speckle": -1.0}],
)  # fmt: skip
def test_senseless_ranges_are_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        ScanAugmentConfig(**setting)

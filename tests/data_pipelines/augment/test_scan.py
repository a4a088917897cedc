"""Augmentation of B-scans and cubes: each setting alone does what it says, and nothing else."""

import numpy as np
import pytest

from data_pipelines.augment import ScanAugmentConfig, augment_cube, augment_scan, mirror_width

OFF = {"flip_probability": 0.0, "translate": 0.0, "brightness": 0.0, "contrast": 0.0,
       "speckle": 0.0}  # fmt: skip
RNG = np.random.default_rng(0)
SCAN = RNG.integers(60, 190, (20, 24, 3), np.uint8)
CUBE = RNG.integers(60, 190, (10, 20, 24), np.uint8)
BOTH = [(augment_scan, SCAN, (0, 1), 1), (augment_cube, CUBE, (0, 1, 2), 2)]


def looks(function, image, number=40, right=False, **settings):
    """So many views with these settings; all others are off."""
    config = ScanAugmentConfig(**(OFF | settings))
    return [function(image, right, config, np.random.default_rng(i)) for i in range(number)]


@pytest.mark.parametrize(("function", "image"), [case[:2] for case in BOTH])
def test_all_off_is_the_image_itself(function, image):
    for look in looks(function, image, 5):
        assert look.dtype == np.uint8
        assert (look == image).all()


@pytest.mark.parametrize(("function", "image", "width"), [(f, i, w) for f, i, _, w in BOTH])
@pytest.mark.parametrize("probability", [0.0, 0.25, 1.0])
def test_flip_mirrors_the_width_so_often(function, image, width, probability):
    seen = looks(function, image, 200, flip_probability=probability)
    flipped = [(look == np.flip(image, width)).all() for look in seen]
    kept = [(look == image).all() for look in seen]
    assert [a != b for a, b in zip(flipped, kept, strict=True)] == [True] * 200
    assert abs(np.mean(flipped) - probability) < 0.1


@pytest.mark.parametrize(("function", "image", "width"), [(f, i, w) for f, i, _, w in BOTH])
def test_right_eyes_as_left(function, image, width):
    mirrored = np.flip(image, width)
    (left,) = looks(function, image, 1, right=False, right_as_left=True)
    (right,) = looks(function, image, 1, right=True, right_as_left=True)
    (as_it_is,) = looks(function, image, 1, right=True, right_as_left=False)
    (twice,) = looks(function, image, 1, right=True, right_as_left=True, flip_probability=1.0)
    assert (left == image).all() and (as_it_is == image).all() and (twice == image).all()
    assert (right == mirrored).all()
    assert (mirror_width(image, width) == mirrored).all()


@pytest.mark.parametrize(("function", "image", "axes"), [(f, i, a) for f, i, a, _ in BOTH])
def test_translate_moves_by_whole_pixels_and_repeats_edges(function, image, axes):
    shifts = set()
    for look in looks(function, image, translate=0.1):
        found = []
        expected = image
        for axis in axes:
            size = image.shape[axis]
            limit = round(0.1 * size)
            # The marginal mean along an axis tells how far the look has moved along it.
            others = tuple(a for a in range(3) if a != axis)
            before, after = image.mean(others), look.mean(others)
            candidates = range(-limit, limit + 1)
            moved = {s: before[np.clip(np.arange(size) - s, 0, size - 1)] for s in candidates}
            best = min(candidates, key=lambda s: np.abs(moved[s] - after).sum())
            found.append(best)
            expected = np.take(expected, np.clip(np.arange(size) - best, 0, size - 1), axis)
        assert (look == expected).all()
        shifts.add(tuple(found))
    assert len(shifts) > 8
    for position in range(len(axes)):
        values = {shift[position] for shift in shifts}
        assert min(values) < 0 < max(values)


def test_channels_move_together():
    one = np.repeat(SCAN[..., :1], 3, axis=2)
    for look in looks(augment_scan, one, 10, translate=0.2, flip_probability=0.5):
        assert (look == look[..., :1]).all()


@pytest.mark.parametrize(("function", "image"), [case[:2] for case in BOTH])
def test_brightness_adds_one_grey_level_to_all(function, image):
    added = []
    for look in looks(function, image, brightness=20.0):
        difference = look.astype(int) - image
        assert np.ptp(difference) == 0
        added.append(difference.flat[0])
    assert min(added) < -10 and max(added) > 10 and np.abs(added).max() <= 20


@pytest.mark.parametrize(("function", "image"), [case[:2] for case in BOTH])
def test_contrast_stretches_about_the_mean(function, image):
    factors = []
    for look in looks(function, image, contrast=0.3):
        assert abs(look.mean() - image.mean()) < 0.5
        factors.append(look.std() / image.std())
    assert 0.69 < min(factors) < 0.85 and 1.15 < max(factors) < 1.31


@pytest.mark.parametrize(("function", "image"), [case[:2] for case in BOTH])
def test_speckle_is_multiplicative_noise_of_this_deviation(function, image):
    ratios = np.concatenate(
        [(look / image).ravel() for look in looks(function, image, speckle=0.1)]
    )
    assert abs(ratios.mean() - 1) < 0.005 and abs(ratios.std() - 0.1) < 0.01


def test_greys_stay_within_a_byte():
    for look in looks(augment_scan, np.full((8, 8, 3), 250, np.uint8), 20, brightness=255.0):
        assert look.min() >= 0 and look.max() <= 255 and np.ptp(look) == 0


def test_a_setting_does_not_change_what_the_others_draw():
    plain = looks(augment_scan, SCAN, 20, translate=0.2, flip_probability=0.5)
    brighter = looks(augment_scan, SCAN, 20, translate=0.2, flip_probability=0.5, brightness=1e-9)
    assert all((one == other).all() for one, other in zip(plain, brighter, strict=True))


def test_the_same_generator_gives_the_same_bits_and_the_image_is_not_changed():
    config, before = ScanAugmentConfig(), SCAN.copy()
    one, other, third = (
        augment_scan(SCAN, True, config, np.random.default_rng(seed)) for seed in (4, 4, 5)
    )
    assert (one == other).all() and (one != third).any()
    assert (before == SCAN).all()


@pytest.mark.parametrize(
    "setting",
    [{"flip_probability": 1.1}, {"translate": -0.1}, {"brightness": 300.0}, {"contrast": 1.5},
     {"speckle": -1.0}],
)  # fmt: skip
def test_senseless_ranges_are_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        ScanAugmentConfig(**setting)

"""OCT volumes: the mirror follows the photograph, each change by itself."""

import dataclasses

import numpy as np
import pytest

from data_pipelines.augment import AugmentConfig, augment, volume

OFF = AugmentConfig(
    crop_size=16, crop_mode="none", scale_min=1.0, scale_max=1.0, rotate_degrees=0.0, flip=False,
    colour_probability=0.0, oct_gain=0.0, oct_gamma=0.0, oct_speckle=0.0, oct_shift=0.0,
    oct_withheld=0.0,
)  # fmt: skip


def generator(seed=0):
    return np.random.Generator(np.random.Philox(key=[13, seed]))


def some_volume():
    return np.random.default_rng(1).integers(30, 200, (20, 6, 3), dtype=np.uint8)


def test_mirror_reverses_the_width_only():
    cube = some_volume()
    mirrored = volume.mirror(cube)
    assert mirrored.flags.c_contiguous
    for x in range(6):
        np.testing.assert_array_equal(mirrored[:, x], cube[:, 5 - x])


@pytest.mark.parametrize("oct_follows", ["flip", "none"])
def test_volume_is_mirrored_with_the_photograph_if_it_follows(oct_follows):
    config = dataclasses.replace(OFF, flip=True, oct_follows=oct_follows)
    fundus = np.random.default_rng(2).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    eye = {"fundus": fundus, "mask": np.zeros((16, 16), np.uint8), "has_mask": True,
           "oct": some_volume()}  # fmt: skip
    flips = 0
    for seed in range(10):
        out = augment(eye, config, generator(seed))
        flipped = np.array_equal(out["fundus"], fundus[:, ::-1])
        flips += flipped
        mirror = flipped and oct_follows == "flip"
        expected = volume.mirror(some_volume()) if mirror else some_volume()
        np.testing.assert_array_equal(out["oct"], expected)
    assert 0 < flips < 10


def test_all_ranges_zero_changes_nothing():
    np.testing.assert_array_equal(volume.distort(some_volume(), OFF, generator()), some_volume())


def test_shift_moves_along_depth_and_repeats_the_edge():
    config = dataclasses.replace(OFF, oct_shift=0.2)
    cube = some_volume()
    shifts = set()
    for seed in range(30):
        out = volume.distort(cube, config, generator(seed))
        matches = [
            rows
            for rows in range(-4, 5)
            if np.array_equal(out, cube[np.clip(np.arange(20) - rows, 0, 19)])
        ]
        assert matches, "no shift of at most 20 % of the depth explains the result"
        shifts.add(matches[0])
    assert min(shifts) < 0 < max(shifts)


def test_gain_and_gamma_are_one_monotonic_curve():
    cube = np.arange(200, dtype=np.uint8).reshape(20, 5, 2)
    for change in ({"oct_gain": 0.3}, {"oct_gamma": 0.3}):
        out = volume.distort(cube, dataclasses.replace(OFF, **change), generator(2))
        assert not np.array_equal(out, cube)
        assert (np.diff(out.ravel().astype(int)) >= 0).all()
    gained = volume.distort(cube, dataclasses.replace(OFF, oct_gain=0.3), generator(2))
    factor = gained[19, 4, 1] / 199
    assert 0.7 <= factor <= 1.3
    np.testing.assert_allclose(gained, cube * factor, atol=1.01)


def test_speckle_is_multiplicative_with_the_given_deviation():
    cube = np.full((40, 40, 8), 100, np.uint8)
    cube[0] = 0
    out = volume.distort(cube, dataclasses.replace(OFF, oct_speckle=0.1), generator()).astype(float)
    assert (out[0] == 0).all()
    assert out[1:].mean() == pytest.approx(100, abs=0.5)
    assert out[1:].std() == pytest.approx(10, abs=0.5)


@pytest.mark.parametrize(("probability", "has_oct"), [(0.0, True), (1.0, False)])
def test_withheld_oct_is_absent_and_dark(probability, has_oct):
    example = {
        "fundus": np.zeros((8, 8, 3), np.uint8),
        "mask": np.zeros((8, 8), np.uint8),
        "has_mask": True,
        "has_oct": True,
        "oct": np.full((4, 4, 2), 200, np.uint8),
    }
    config = AugmentConfig(crop_size=8, crop_mode="none", oct_withheld=probability)
    result = augment(example, config, np.random.default_rng(0))
    assert result["has_oct"] is has_oct
    assert bool(result["oct"].any()) is has_oct

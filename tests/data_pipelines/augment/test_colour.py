"""Colour: against the standard library's HSV, and each range by itself."""

import colorsys
import dataclasses

import numpy as np
import pytest

from data_pipelines.augment import AugmentConfig, colour

OFF = AugmentConfig(
    colour_probability=1.0, brightness=0.0, contrast=0.0, saturation=0.0, hue_degrees=0.0
)


def generator(seed=0):
    return np.random.Generator(np.random.Philox(key=[11, seed]))


def some_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    pixels[0, :4] = [[0, 0, 0], [255, 255, 255], [90, 90, 90], [255, 0, 0]]
    return pixels


@pytest.mark.parametrize("degrees", [0.0, 36.0, -36.0, 180.0])
@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.5])
def test_hue_and_saturation_agree_with_colorsys(degrees, factor):
    pixels = some_pixels()
    planes = pixels.transpose(2, 0, 1).astype(np.float32)  # (H, W, 3) -> (3, H, W)
    out = colour.shift_hue_saturation(planes, degrees, factor)
    for row in range(pixels.shape[0]):
        for column in range(pixels.shape[1]):
            hue, saturation, value = colorsys.rgb_to_hsv(*(pixels[row, column] / 255))
            expected = colorsys.hsv_to_rgb(
                (hue + degrees / 360) % 1, min(saturation * factor, 1), value
            )
            np.testing.assert_allclose(
                out[:, row, column], 255 * np.array(expected), atol=2e-3, rtol=0
            )


def test_all_ranges_zero_changes_nothing():
    np.testing.assert_array_equal(colour.distort(some_pixels(), OFF, generator()), some_pixels())


def test_probability_zero_changes_nothing_and_half_changes_some():
    full = AugmentConfig()
    for probability, low, high in ((0.0, 0, 0), (1.0, 20, 20), (0.1, 1, 19)):
        config = dataclasses.replace(full, colour_probability=probability)
        changed = sum(
            not np.array_equal(colour.distort(some_pixels(), config, generator(s)), some_pixels())
            for s in range(20)
        )
        assert low <= changed <= high


def test_brightness_adds_one_number_within_its_range():
    grey = np.full((4, 4, 3), 100, np.uint8)
    config = dataclasses.replace(OFF, brightness=32.0)
    values = [colour.distort(grey, config, generator(seed)) for seed in range(50)]
    assert all((value == value[0, 0, 0]).all() for value in values)
    added = [int(value[0, 0, 0]) - 100 for value in values]
    assert -32 <= min(added) < -16 and 16 < max(added) <= 32


def test_contrast_multiplies_within_its_range():
    grey = np.full((4, 4, 3), 100, np.uint8)
    config = dataclasses.replace(OFF, contrast=0.5)
    values = [int(colour.distort(grey, config, generator(seed))[0, 0, 0]) for seed in range(50)]
    assert 50 <= min(values) < 70 and 130 < max(values) <= 150


def test_saturation_and_hue_leave_grey_and_the_largest_channel():
    pixels = some_pixels()
    for change in ({"saturation": 0.5}, {"hue_degrees": 36.0}):
        config = dataclasses.replace(OFF, **change)
        out = colour.distort(pixels, config, generator(1))
        assert not np.array_equal(out, pixels)
        np.testing.assert_array_equal(out[0, :3], pixels[0, :3])
        np.testing.assert_array_equal(out.max(axis=2), pixels.max(axis=2))


def test_contrast_comes_first_or_last_by_a_coin():
    # White brightened by contrast saturates; the order with desaturation then shows in dark red.
    dark = np.full((1, 1, 3), (200, 20, 20), np.uint8)
    config = dataclasses.replace(OFF, brightness=32.0, contrast=0.5, saturation=0.5)
    first, last = [], []
    for seed in range(40):
        rng = generator(seed)
        rng.random(4)
        contrast_first = rng.random() < 0.5
        added, times, saturation, _ = rng.uniform(-1, 1, 4)
        (first if contrast_first else last).append(seed)
        value = np.clip(dark[0, 0] + 32 * added, 0, 255)
        if contrast_first:
            value = np.clip(value * (1 + 0.5 * times), 0, 255)
        top = value.max()
        spread = (top - value) * (1 + 0.5 * saturation)
        value = top - spread * min(1, top / max(spread.max(), 1e-9))
        if not contrast_first:
            value = np.clip(value * (1 + 0.5 * times), 0, 255)
        got = colour.distort(dark, config, generator(seed))[0, 0]
        np.testing.assert_allclose(got, value, atol=0.51)
    assert first and last

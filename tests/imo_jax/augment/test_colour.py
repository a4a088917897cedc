"""Colour: against the standard library's HSV, and each range by itself."""

import colorsys
import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from eye_views import STILL, views

from imo_jax.augment import colour, eye
from imo_jax.augment.config import AugmentConfig

OFF = dataclasses.replace(
    STILL, crop_size=8, colour_probability=1.0, brightness=0.0, contrast=0.0, saturation=0.0,
    hue_degrees=0.0,
)  # fmt: skip


def some_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    pixels[0, :4] = [[0, 0, 0], [255, 255, 255], [90, 90, 90], [255, 0, 0]]
    return pixels


def looks(pixels, number=40, **changes):
    """So many views of a picture of 8 x 8 pixels with these ranges; all others are zero."""
    example = {"fundus": pixels, "mask": np.zeros((8, 8), np.uint8), "has_mask": np.bool_(True)}
    return views(example, dataclasses.replace(OFF, **changes), number)["fundus"]


def grey(level):
    return np.full((8, 8, 3), level, np.uint8)


@pytest.mark.parametrize("degrees", [0.0, 36.0, -36.0, 180.0])
@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.5])
def test_hue_and_saturation_agree_with_colorsys(degrees, factor):
    pixels = some_pixels()
    planes = [jnp.asarray(pixels[..., channel], jnp.float32) for channel in range(3)]
    out = np.stack(colour.turned(planes, jnp.float32(degrees), jnp.float32(factor)))
    for row in range(pixels.shape[0]):
        for column in range(pixels.shape[1]):
            hue, saturation, value = colorsys.rgb_to_hsv(*(pixels[row, column] / 255))
            expected = colorsys.hsv_to_rgb(
                (hue + degrees / 360) % 1, min(saturation * factor, 1), value
            )
            np.testing.assert_allclose(
                out[:, row, column], 255 * np.array(expected), atol=2e-3, rtol=0
            )


def test_a_change_by_hand():
    # (200, 20, 20) and 30 brighter: (230, 50, 50). Half the saturation: chroma 90, (230, 140, 140).
    # Contrast 1.5 last: (255, 210, 210); first: (255, 75, 75), and then (255, 165, 165).
    planes = [jnp.full((2, 1, 1), level, jnp.float32) for level in (200, 20, 20)]
    two = jnp.ones(2, jnp.float32)
    change = colour.Change(30 * two, 1.5 * two, jnp.array([False, True]), 0.5 * two, 0 * two)
    red, green, blue = colour.changed(planes, change)
    np.testing.assert_allclose(red[:, 0, 0], [255, 255], atol=1e-3)
    np.testing.assert_allclose(green[:, 0, 0], [210, 165], atol=1e-3)
    np.testing.assert_allclose(blue[:, 0, 0], [210, 165], atol=1e-3)


def test_draws_become_changes_within_their_ranges():
    share = jnp.array([[0.0, 0.25, 0.75, 1.0]], jnp.float32)
    draws = eye.EyeDraws(None, jnp.zeros((1, 4)), jnp.array([0.4]), share, None, None, None)
    config = AugmentConfig(brightness=32.0, contrast=0.5, saturation=0.5, hue_degrees=36.0)
    change = eye.colour_change(draws, config)
    assert [float(v[0]) for v in change] == [-32, 0.75, 1, 1.25, 36]
    kept = eye.colour_change(draws._replace(chosen=jnp.full((1, 4), 0.5)), config)
    assert [float(v[0]) for v in kept] == [0, 1, 1, 1, 0]


def test_all_ranges_zero_changes_nothing():
    assert (looks(some_pixels(), 3) == some_pixels()).all()


def test_probability_zero_changes_nothing_and_a_tenth_changes_some():
    full = {"brightness": 32.0, "contrast": 0.5, "saturation": 0.5, "hue_degrees": 36.0}
    for probability, low, high in ((0.0, 0, 0), (1.0, 20, 20), (0.1, 1, 19)):
        seen = looks(some_pixels(), 20, colour_probability=probability, **full)
        changed = sum(not np.array_equal(look, some_pixels()) for look in seen)
        assert low <= changed <= high


def test_brightness_adds_one_number_within_its_range():
    seen = looks(grey(100), brightness=32.0).astype(int)
    assert (np.ptp(seen.reshape(40, -1), axis=1) == 0).all()
    added = seen[:, 0, 0, 0] - 100
    assert -32 <= added.min() < -16 and 16 < added.max() <= 32


def test_contrast_multiplies_within_its_range():
    values = looks(grey(100), contrast=0.5)[:, 0, 0, 0]
    assert 50 <= values.min() < 70 and 130 < values.max() <= 150


def test_saturation_and_hue_leave_grey_and_the_largest_channel():
    pixels = some_pixels()
    for change in ({"saturation": 0.5}, {"hue_degrees": 36.0}):
        out = looks(pixels, 1, **change)[0]
        assert not np.array_equal(out, pixels)
        np.testing.assert_array_equal(out[0, :3], pixels[0, :3])
        np.testing.assert_array_equal(out.max(axis=2), pixels.max(axis=2))

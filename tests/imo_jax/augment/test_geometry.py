"""Geometry: where crops lie, and that photograph and mask move together."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from eye_views import STILL, centroid, drawn_eye, views

from imo_jax.augment import geometry

replace = dataclasses.replace


def at(shares):
    """One example's draws of geometry, shares in [0, 1): scale, angle, mirror, x, y."""
    scale, angle, mirror, *position = (jnp.full(1, share, jnp.float32) for share in shares)
    return geometry.Draws(scale, angle, mirror, jnp.stack(position, axis=-1))


def placed(config, shares=(0.5, 0.5, 0.9, 0.5, 0.5), mask=None, side=64):
    known = np.ones(1, bool) if mask is not None else np.zeros(1, bool)
    mask = np.zeros((1, side, side), np.uint8) if mask is None else mask[None]
    return geometry.placed(jnp.asarray(mask), jnp.asarray(known), at(shares), config)


def matrix(place):
    return np.array([float(value[0]) for value in place.matrix]).reshape(2, 3)


def test_nothing_drawn_changes_nothing():
    eye = drawn_eye()
    out = views(eye, STILL, 2)
    for i in range(2):
        np.testing.assert_array_equal(out["fundus"][i], eye["fundus"])
        np.testing.assert_array_equal(out["mask"][i], eye["mask"])
    assert out["fundus"].dtype == np.uint8 and out["mask"].dtype == np.int32


def test_maps_by_hand():
    # A whole image of 64 pixels twice as large: the crop's corner lies 32 plane pixels, or 16 image
    # pixels, inside; a crop pixel is half an image pixel.
    double = replace(STILL, scale_min=2.0, scale_max=2.0)
    np.testing.assert_allclose(matrix(placed(double)), [[0.5, 0, 16], [0, 0.5, 16]], atol=1e-5)
    # In the mirror the crop's left edge shows the right one.
    mirrored = placed(replace(STILL, flip=True), (0.5, 0.5, 0.4, 0.5, 0.5))
    np.testing.assert_allclose(matrix(mirrored), [[-1, 0, 64], [0, 1, 0]], atol=1e-5)
    assert bool(mirrored.mirrored[0])
    # 30 degrees of +-30 about the middle, which stays.
    turned = matrix(placed(replace(STILL, rotate_degrees=30.0), (0.5, 1.0, 0.9, 0.5, 0.5)))
    np.testing.assert_allclose(turned[:, :2], [[0.75**0.5, 0.5], [-0.5, 0.75**0.5]], atol=1e-6)
    np.testing.assert_allclose(turned @ [32, 32, 1], [32, 32], atol=1e-4)
    # A quarter and three quarters of the 64 - 40 pixels that a crop has to move in.
    crop = replace(STILL, crop_mode="random", crop_size=40)
    where = matrix(placed(crop, (0.5, 0.5, 0.9, 0.25, 0.75)))
    np.testing.assert_allclose(where, [[1, 0, 6], [0, 1, 18]], atol=1e-5)
    # A square about the middle, moved by a normal number's quartile, 0.6745 deviations of 4 pixels.
    square = replace(STILL, crop_mode="square", crop_size=40, crop_shift=0.1)
    where = matrix(placed(square, (0.5, 0.5, 0.9, 0.75, 0.5)))
    np.testing.assert_allclose(where, [[1, 0, 12 + 0.67449 * 4], [0, 1, 12]], atol=1e-4)
    # The disc of rows and columns 10 to 19 lies whole in crops from 0 to 10: from 20 - 40 on is no image.
    mask = np.zeros((64, 64), np.uint8)
    mask[10:20, 10:20] = 1
    disc = replace(crop, crop_mode="disc")
    where = matrix(placed(disc, (0.5, 0.5, 0.9, 0.0, 0.5), mask))
    np.testing.assert_allclose(where, [[1, 0, 0], [0, 1, 5]], atol=1e-5)


def test_bilinear_and_nearest_by_hand():
    fundus = np.zeros((1, 2, 2, 3), np.uint8)
    fundus[0, ..., 0] = [[0, 100], [200, 40]]
    mask = np.array([[[0, 1], [2, 255]]], np.uint8)
    # Crop pixels of a quarter each, from the middle of the first pixel on: x = 0.5 + 0.25 (j + 0.5).
    one = jnp.ones(1, jnp.float32)
    place = geometry.Placement(
        (0.25 * one, 0 * one, 0.5 * one, 0 * one, 0.25 * one, 0.5 * one), 4 * one, one > 2
    )
    planes, ids, _ = geometry.moved(jnp.asarray(fundus), jnp.asarray(mask), place, 4)
    right = np.array([0.125, 0.375, 0.625, 0.875])
    above, below = 100 * right, 200 - 160 * right
    expected = above + (below - above) * right[:, None]
    np.testing.assert_allclose(planes[0][0], expected, atol=1e-4)
    assert not planes[1].any()
    np.testing.assert_array_equal(
        ids[0], [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 255, 255], [2, 2, 255, 255]]
    )
    np.testing.assert_array_equal(geometry.moved_mask(jnp.asarray(mask), place, 4), ids)


def test_quarter_turn_is_a_quarter_turn():
    eye = drawn_eye()
    one = jnp.ones(1, jnp.float32)
    plane = geometry.plane_of(64, one, jnp.pi / 2 * one)
    place = geometry.placement(plane, 0 * one, 0 * one, 64 * one, one > 2)
    planes, _, _ = geometry.moved(
        jnp.asarray(eye["fundus"][None]), jnp.asarray(eye["mask"][None]), place, 64
    )
    # The plane's x axis points along the image's falling y.
    np.testing.assert_allclose(planes[0][0], np.rot90(eye["fundus"][..., 0], -1), atol=0.02)


def test_double_scale_doubles_lengths():
    eye = drawn_eye(centre=(32.0, 32.0))
    out = views(eye, replace(STILL, scale_min=2.0, scale_max=2.0), 1)
    assert (out["mask"] > 0).sum() == pytest.approx(4 * (eye["mask"] > 0).sum(), rel=0.02)


def test_flip_mirrors_half_of_the_images_left_to_right():
    eye = drawn_eye()
    out = views(eye, replace(STILL, flip=True), 40)
    mirrored = [np.array_equal(mask, eye["mask"][:, ::-1]) for mask in out["mask"]]
    same = [np.array_equal(mask, eye["mask"]) for mask in out["mask"]]
    assert [one != other for one, other in zip(mirrored, same, strict=True)] == [True] * 40
    assert 10 < sum(mirrored) < 30


@pytest.mark.parametrize("crop_mode", ["disc", "random", "released", "none"])
def test_fundus_and_mask_move_together(crop_mode):
    config = replace(
        STILL, crop_mode=crop_mode, crop_size=64 if crop_mode == "none" else 48, scale_min=0.7,
        scale_max=1.5, rotate_degrees=40.0, flip=True,
    )  # fmt: skip
    out = views(drawn_eye(), config, 30)
    compared = 0
    for fundus, mask in zip(out["fundus"], out["mask"], strict=True):
        lit = fundus[..., 0].astype(float) > 125
        disc = (mask == 1) | (mask == 2)
        if disc.sum() < 40:
            continue
        compared += 1
        # Nearest against bilinear at half height: the edges differ by at most a pixel.
        assert np.abs(centroid(lit) - centroid(disc)).max() < 1
        assert (lit & (mask == 0)).sum() + (~lit & disc).sum() <= 0.2 * disc.sum()
    assert compared >= 5


def test_mask_says_ignore_where_no_image_is_shown():
    out = views(drawn_eye(), replace(STILL, scale_min=0.5, scale_max=0.5), 1)
    border = np.ones((64, 64), bool)
    border[16:48, 16:48] = False
    mask, fundus = out["mask"][0], out["fundus"][0]
    assert (mask[border] == 255).all() and (fundus[border] == 0).all()
    assert (mask[~border] != 255).all() and (fundus[~border] >= 50).all()


def test_disc_crop_holds_the_whole_disc_at_varying_places():
    area = (drawn_eye()["mask"] > 0).sum()
    out = views(drawn_eye(), replace(STILL, crop_mode="disc", crop_size=32), 20)
    assert all(((mask == 1) | (mask == 2)).sum() == area for mask in out["mask"])
    assert (out["mask"] != 255).all()
    assert np.ptp([centroid(mask == 2) for mask in out["mask"]], axis=0).min() > 5


def test_disc_crop_holds_a_turned_and_scaled_disc():
    config = replace(STILL, crop_mode="disc", crop_size=32, scale_min=1.3, scale_max=1.5,
                     rotate_degrees=180.0)  # fmt: skip
    least = 1.2**2 * (drawn_eye()["mask"] > 0).sum()
    for mask in views(drawn_eye(), config, 20)["mask"]:
        assert (mask == 2).any() and ((mask == 1) | (mask == 2)).sum() >= least


def test_disc_larger_than_the_crop_is_centred():
    config = replace(STILL, crop_mode="disc", crop_size=32, scale_min=3.0, scale_max=3.0)
    mask = views(drawn_eye(), config, 1)["mask"][0]
    np.testing.assert_allclose(centroid(mask == 2), [15.5, 15.5], atol=1)


def test_disc_crop_without_a_mask_is_a_random_crop():
    eye = drawn_eye() | {"mask": np.full((64, 64), 255, np.uint8), "has_mask": np.bool_(False)}
    disc, random = (
        views(eye, replace(STILL, crop_mode=mode, crop_size=32), 5) for mode in ("disc", "random")
    )
    assert (disc["mask"] == 255).all()
    np.testing.assert_array_equal(disc["fundus"], random["fundus"])


def test_random_crops_often_miss_the_disc():
    out = views(drawn_eye(), replace(STILL, crop_mode="random", crop_size=32), 30)
    area = (drawn_eye()["mask"] > 0).sum()
    assert sum((mask > 0).sum() == area for mask in out["mask"]) < 25


def test_whole_image_mode_refuses_another_size():
    with pytest.raises(ValueError, match="crop_size=64"):
        views(drawn_eye(), replace(STILL, crop_size=48), 1)


def test_released_crop_pads_right_and_below_with_the_mean_colour_and_ignore():
    # 64 pixels at half size are 32; the rest of 48 is padding, in the mirror as well.
    config = replace(
        STILL, crop_mode="released", crop_size=48, scale_min=0.5, scale_max=0.5, flip=True,
        colour_probability=1.0,
    )  # fmt: skip
    out = views(drawn_eye(), config, 8)
    padding = np.ones((48, 48), bool)
    padding[:32, :32] = False
    mirrored = 0
    for fundus, mask in zip(out["fundus"], out["mask"], strict=True):
        assert (mask[padding] == 255).all() and (mask[~padding] != 255).all()
        assert (fundus[padding] == [124, 116, 104]).all()
        mirrored += bool(centroid(mask[:32, :32] == 2)[1] > 16)
    assert 0 < mirrored < 8


def test_released_crop_draws_again_while_one_id_fills_it():
    # Left half background, right half rim: a quarter-size window is mixed enough only near the
    # middle (share between 1/4 and 3/4), which one draw hits in 1 of 6 cases.
    mask = np.zeros((64, 64), np.uint8)
    mask[:, 32:] = 1
    eye = drawn_eye() | {"mask": mask}

    def mixed(crop_mode):
        out = views(eye, replace(STILL, crop_mode=crop_mode, crop_size=16), 60)
        shares = (out["mask"] == 1).mean(axis=(1, 2))
        return np.mean((shares > 0.25) & (shares < 0.75))

    assert mixed("random") < 0.4
    assert mixed("released") > 0.7  # 1 - (5/6)^10 = 0.84


def test_released_crop_gives_up_after_ten_draws():
    eye = drawn_eye() | {"mask": np.zeros((64, 64), np.uint8)}
    out = views(eye, replace(STILL, crop_mode="released", crop_size=16), 2)
    assert (out["mask"] == 0).all()


@pytest.mark.parametrize(
    "change",
    [
        {"crop_size": 40, "crop_mode": "random"},
        {"crop_size": 40, "crop_mode": "square", "crop_shift": 0.1},
        {"scale_min": 0.5},
        {"scale_max": 2.0},
        {"rotate_degrees": 30.0},
        {"flip": True},
    ],
)
def test_each_setting_matters(change):
    eye = drawn_eye()
    pictures = views(eye, replace(STILL, **change), 4)["fundus"]
    assert any(not np.array_equal(picture, eye["fundus"]) for picture in pictures)

"""Geometry: where crops lie, and that photograph and mask move together."""

import dataclasses

import numpy as np
import pytest

from data_pipelines.augment import RELEASED, AugmentConfig, augment, geometry

STILL = AugmentConfig(
    crop_size=64, crop_mode="none", scale_min=1.0, scale_max=1.0, rotate_degrees=0.0, flip=False,
    colour_probability=0.0, oct_gain=0.0, oct_gamma=0.0, oct_speckle=0.0, oct_shift=0.0,
    oct_withheld=0.0,
)  # fmt: skip


def drawn_eye(side=64, centre=(40.0, 22.0), radius=9.0):
    """An eye whose photograph is 200 exactly where its mask is disc, else 50."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    distance = np.hypot(rows - centre[0], columns - centre[1])
    mask = np.zeros((side, side), np.uint8)
    mask[distance < radius] = 1
    mask[distance < radius / 2] = 2
    fundus = np.where(mask[..., None] > 0, 200, 50).astype(np.uint8).repeat(3, axis=2)
    return {"fundus": fundus, "mask": mask, "has_mask": True, "id": "drawn"}


def generator(seed=0):
    return np.random.Generator(np.random.Philox(key=[7, seed]))


def centroid(weights):
    rows, columns = np.mgrid[: weights.shape[0], : weights.shape[1]]
    return np.array([(weights * rows).sum(), (weights * columns).sum()]) / weights.sum()


def test_nothing_drawn_changes_nothing():
    eye = drawn_eye()
    out = augment(eye, STILL, generator())
    np.testing.assert_array_equal(out["fundus"], eye["fundus"])
    np.testing.assert_array_equal(out["mask"], eye["mask"])
    assert out["id"] == "drawn" and out["has_mask"] is True


def test_quarter_turn_is_a_quarter_turn():
    # 90 degrees about the centre of an even square hits pixel centres: no interpolation is left.
    eye = drawn_eye()
    to_image = geometry.plane_to_image(64, 1.0, np.pi / 2)
    placed = geometry._placement(to_image, 0.0, 0.0, 64, 64, False)
    turned = geometry.move_image(eye["fundus"], placed)
    turns = [np.rot90(eye["fundus"], k).astype(int) for k in (1, -1)]
    assert min(np.abs(turned - turn).max() for turn in turns) <= 1


def test_double_scale_doubles_lengths():
    eye = drawn_eye(centre=(32.0, 32.0))
    config = dataclasses.replace(STILL, scale_min=2.0, scale_max=2.0)
    out = augment(eye, config, generator())
    assert (out["mask"] > 0).sum() == pytest.approx(4 * (eye["mask"] > 0).sum(), rel=0.02)


def test_flip_mirrors_left_to_right():
    config = dataclasses.replace(STILL, flip=True)
    eye = drawn_eye()
    seen = set()
    for seed in range(20):
        out = augment(eye, config, generator(seed))
        for name, expected in (("as it is", eye["mask"]), ("mirrored", eye["mask"][:, ::-1])):
            if np.array_equal(out["mask"], expected):
                seen.add(name)
    assert seen == {"as it is", "mirrored"}


@pytest.mark.parametrize("crop_mode", ["disc", "random", "released", "none"])
def test_fundus_and_mask_move_together(crop_mode):
    config = dataclasses.replace(
        STILL, crop_mode=crop_mode, crop_size=64 if crop_mode == "none" else 48, scale_min=0.7,
        scale_max=1.5, rotate_degrees=40.0, flip=True,
    )  # fmt: skip
    compared = 0
    for seed in range(30):
        out = augment(drawn_eye(), config, generator(seed))
        lit = out["fundus"][..., 0].astype(float) > 125
        disc = (out["mask"] == 1) | (out["mask"] == 2)
        if disc.sum() < 40:
            continue
        compared += 1
        # Nearest against bilinear at half height: the edges differ by at most a pixel.
        assert np.abs(centroid(lit) - centroid(disc)).max() < 1
        assert (lit & (out["mask"] == 0)).sum() + (~lit & disc).sum() <= 0.2 * disc.sum()
    assert compared >= 5


def test_mask_says_ignore_where_no_image_is_shown():
    config = dataclasses.replace(STILL, scale_min=0.5, scale_max=0.5)
    out = augment(drawn_eye(), config, generator())
    border = np.ones((64, 64), bool)
    border[16:48, 16:48] = False
    assert (out["mask"][border] == 255).all() and (out["fundus"][border] == 0).all()
    assert (out["mask"][~border] != 255).all() and (out["fundus"][~border] >= 50).all()


def crop_with(crop_mode, seed, **changes):
    config = dataclasses.replace(STILL, crop_mode=crop_mode, crop_size=32, **changes)
    return augment(drawn_eye(), config, generator(seed))


def test_disc_crop_holds_the_whole_disc_at_varying_places():
    area = (drawn_eye()["mask"] > 0).sum()
    places = []
    for seed in range(20):
        mask = crop_with("disc", seed)["mask"]
        assert ((mask == 1) | (mask == 2)).sum() == area
        assert (mask != 255).all()
        places.append(centroid(mask == 2))
    assert np.ptp(places, axis=0).min() > 5


def test_disc_crop_holds_a_turned_and_scaled_disc():
    for seed in range(20):
        mask = crop_with("disc", seed, scale_min=1.3, scale_max=1.5, rotate_degrees=180.0)["mask"]
        edge = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        assert not np.isin(edge, (1, 2)).all() and (mask == 2).any()
        assert ((mask == 1) | (mask == 2)).sum() >= 1.2**2 * (drawn_eye()["mask"] > 0).sum()


def test_disc_larger_than_the_crop_is_centred():
    mask = crop_with("disc", 0, scale_min=3.0, scale_max=3.0)["mask"]
    np.testing.assert_allclose(centroid(mask == 2), [15.5, 15.5], atol=1)


def test_random_crops_often_miss_the_disc_which_disc_crops_do_not():
    def with_whole_disc(crop_mode):
        area = (drawn_eye()["mask"] > 0).sum()
        return sum((crop_with(crop_mode, seed)["mask"] > 0).sum() == area for seed in range(30))

    assert with_whole_disc("disc") == 30
    assert with_whole_disc("random") < 25


def test_disc_crop_without_a_mask_is_a_random_crop():
    eye = drawn_eye() | {"mask": np.full((64, 64), 255, np.uint8), "has_mask": False}
    config = dataclasses.replace(STILL, crop_mode="disc", crop_size=32)
    random = dataclasses.replace(config, crop_mode="random")
    for seed in range(5):
        out = augment(eye, config, generator(seed))
        assert out["fundus"].shape == (32, 32, 3) and (out["mask"] == 255).all()
        expected = augment(eye, random, generator(seed))
        np.testing.assert_array_equal(out["fundus"], expected["fundus"])


def test_whole_image_mode_refuses_another_size():
    config = dataclasses.replace(STILL, crop_size=48)
    with pytest.raises(ValueError, match="crop_size=64"):
        augment(drawn_eye(), config, generator())


def test_released_crop_pads_right_and_below_with_the_mean_colour_and_ignore():
    # 64 pixels at half size are 32; the rest of 48 is padding, in the mirror as well.
    config = dataclasses.replace(
        STILL, crop_mode="released", crop_size=48, scale_min=0.5, scale_max=0.5, flip=True
    )
    mirrored = 0
    for seed in range(8):
        out = augment(drawn_eye(), config, generator(seed))
        padding = np.ones((48, 48), bool)
        padding[:32, :32] = False
        assert (out["mask"][padding] == 255).all() and (out["mask"][~padding] != 255).all()
        assert (out["fundus"][padding] == [124, 116, 104]).all()
        mirrored += bool(centroid(out["mask"][:32, :32] == 2)[1] > 16)
    assert 0 < mirrored < 8


def test_released_crop_draws_again_while_one_id_fills_it():
    # Left half background, right half rim: a quarter-size window is mixed enough only near the
    # middle (share between 1/4 and 3/4), which one draw hits in 1 of 6 cases.
    mask = np.zeros((64, 64), np.uint8)
    mask[:, 32:] = 1
    eye = drawn_eye() | {"mask": mask}
    config = dataclasses.replace(STILL, crop_mode="released", crop_size=16)

    def mixed(crop_mode):
        shares = [
            (augment(eye, dataclasses.replace(config, crop_mode=crop_mode), generator(s))["mask"]
             == 1).mean()
            for s in range(60)
        ]  # fmt: skip
        return np.mean([0.25 < share < 0.75 for share in shares])

    assert mixed("random") < 0.4
    assert mixed("released") > 0.7  # 1 - (5/6)^10 = 0.84


def test_released_crop_gives_up_after_ten_draws():
    eye = drawn_eye() | {"mask": np.zeros((64, 64), np.uint8)}
    out = augment(eye, dataclasses.replace(STILL, crop_mode="released", crop_size=16), generator())
    assert (out["mask"] == 0).all()


@pytest.mark.parametrize(
    "change",
    [
        {"crop_size": 40, "crop_mode": "random"},
        {"crop_mode": "disc", "crop_size": 32},
        {"scale_min": 0.5},
        {"scale_max": 2.0},
        {"rotate_degrees": 30.0},
        {"flip": True},
    ],
)
def test_each_setting_matters(change):
    config = dataclasses.replace(STILL, **change)
    eye = drawn_eye()
    pictures = [augment(eye, config, generator(seed))["fundus"] for seed in range(4)]
    assert any(not np.array_equal(picture, eye["fundus"]) for picture in pictures)


def test_same_generator_same_bits():
    for config in (AugmentConfig(crop_size=48), dataclasses.replace(RELEASED, crop_size=48)):
        one, other = (augment(drawn_eye(), config, generator(3)) for _ in range(2))
        np.testing.assert_array_equal(one["fundus"], other["fundus"])
        np.testing.assert_array_equal(one["mask"], other["mask"])


def test_a_square_is_moved_off_the_middle_by_the_given_standard_deviation():
    config = dataclasses.replace(STILL, crop_mode="square", crop_size=40, crop_shift=0.1)
    places = []
    for seed in range(400):
        placed = geometry.draw_placement(None, 64, config, np.random.default_rng(seed))
        places.append((placed.matrix[2], placed.matrix[5]))  # left, top
    places = np.array(places) - 12  # the middle: (64 - 40) / 2
    assert np.abs(places.mean(axis=0)).max() < 0.6
    np.testing.assert_allclose(places.std(axis=0), 4.0, rtol=0.15)
    assert np.abs(places).max() <= 2.5 * 4 + 1e-6
    still = dataclasses.replace(config, crop_shift=0.0)
    placed = geometry.draw_placement(None, 64, still, np.random.default_rng(0))
    assert (placed.matrix[2], placed.matrix[5]) == (12, 12)

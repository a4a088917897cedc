"""The field of view is found on all kinds of photographs; masks survive the way there and back."""

import dataclasses

import numpy as np
import pytest

from data_pipelines.framing import (
    Frame,
    find_frame,
    frame_image,
    frame_mask,
    unframe_probabilities,
)


def photograph(height, width, centre, radius, light=150, black=3, noise=3, seed=0):
    """A disc of light on black; a radius of None lights the whole picture."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    inside = np.ones((height, width), bool)
    if radius is not None:
        inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2
    level = np.where(inside, light, black) + rng.normal(0, noise, (height, width))
    colours = level[..., None] * np.where(inside[..., None], [1.0, 0.5, 0.3], [1.0, 1.0, 1.0])
    return np.clip(colours, 0, 255).astype(np.uint8)


def box(frame):
    return frame.top, frame.left, frame.top + frame.height, frame.left + frame.width


def assert_box(frame, expected, tolerance):
    assert frame.height == frame.width
    assert np.abs(np.subtract(box(frame), expected)).max() <= tolerance, box(frame)


LIGHTS = [
    {"light": 150, "black": 3},
    {"light": 30, "black": 1, "noise": 1},
    {"light": 200, "black": 25},
    {"light": 60, "black": 4, "noise": 5},
]


@pytest.mark.parametrize("light", LIGHTS, ids=["usual", "dark", "hazy", "noisy"])
@pytest.mark.parametrize(
    ("height", "width", "centre", "radius", "expected"),
    [
        (512, 512, (256, 256), 240, (16, 16, 496, 496)),
        (300, 450, (130, 150), 120, (10, 30, 250, 270)),
        # GAMMA's wide pictures: the disc is cut above and below, so the box sticks out.
        (500, 748, (250, 374), 290, (-40, 84, 540, 664)),
        (489, 484, (245, 242), 225, (20, 17, 470, 467)),
    ],
)
def test_field_of_view(height, width, centre, radius, expected, light):
    frame = find_frame(photograph(height, width, centre, radius, **light), 64)
    assert_box(frame, expected, tolerance=3)
    assert (frame.native_height, frame.native_width, frame.size) == (height, width, 64)


def test_large_photograph_is_searched_on_a_small_copy():
    frame = find_frame(photograph(1000, 1496, (500, 748), 575), 64)
    assert_box(frame, (-75, 173, 1075, 1323), tolerance=6)


@pytest.mark.parametrize("shape", [(200, 200), (200, 300), (300, 200)])
@pytest.mark.parametrize("light", [20, 150, 250])
def test_without_a_border_all_is_taken(shape, light):
    frame = find_frame(photograph(*shape, None, None, light=light), 64)
    side = max(shape)
    expected = ((shape[0] - side) // 2, (shape[1] - side) // 2)
    assert (frame.top, frame.left, frame.height, frame.width) == (*expected, side, side)


def test_dark_corners_are_no_border():
    """Vignetting: light falls to a third in the corners."""
    y, x = np.mgrid[-1:1:200j, -1:1:200j]
    level = 180 * (1 - np.hypot(y, x) / np.sqrt(2) * 0.67)
    image = np.repeat(level[..., None], 3, -1).astype(np.uint8)
    assert_box(find_frame(image, 64), (0, 0, 200, 200), tolerance=6)


@pytest.mark.parametrize("level", [0, 5, 255])
def test_blank_pictures_do_not_fail(level):
    frame = find_frame(np.full((60, 80, 3), level, np.uint8), 32)
    assert box(frame) == (-10, 0, 70, 80)


def test_text_in_the_border_is_left_out():
    image = photograph(400, 600, (200, 300), 180)
    image[10:20, 10:80] = 255
    assert_box(find_frame(image, 64), (20, 120, 380, 480), tolerance=3)


def test_crop_to_field_can_be_turned_off():
    image = photograph(300, 450, (130, 150), 120)
    assert box(find_frame(image, 64, crop_to_field=False)) == (-75, 0, 375, 450)


def test_very_small_pictures():
    for shape in ((1, 1), (2, 3), (5, 4)):
        frame = find_frame(np.zeros((*shape, 3), np.uint8), 8)
        assert frame_image(np.zeros((*shape, 3), np.uint8), frame).shape == (8, 8, 3)


def test_same_picture_same_frame():
    image = photograph(300, 450, (130, 150), 120)
    assert find_frame(image, 64) == find_frame(image.copy(), 64)
    assert len(dataclasses.astuple(find_frame(image, 64))) == 7


# --- there and back ------------------------------------------------------------------


def test_frame_image_pads_with_black_and_keeps_what_is_inside():
    image = np.full((4, 8, 3), 200, np.uint8)
    framed = frame_image(image, Frame(-2, 0, 8, 8, 4, 8, 8))
    assert (framed[:2] == 0).all()
    assert (framed[2:6] == 200).all()
    assert (framed[6:] == 0).all()


def test_frame_image_is_antialiased():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::2] = 200
    framed = frame_image(stripes, Frame(0, 0, 64, 64, 64, 64, 16))
    assert abs(framed.astype(int) - 100).max() <= 15


def test_frame_mask_pads_with_ignore_and_takes_the_nearest_pixel():
    mask = np.arange(8, dtype=np.uint8).reshape(2, 4)
    framed = frame_mask(mask, Frame(-1, 0, 4, 4, 2, 4, 4))
    assert framed.tolist() == [[255] * 4, [0, 1, 2, 3], [4, 5, 6, 7], [255] * 4]
    # Half the size: the centre of the first of two pixels is at 1, so pixel 1 is taken.
    framed = frame_mask(mask, Frame(-1, 0, 4, 4, 2, 4, 2))
    assert framed.tolist() == [[1, 3], [255, 255]]


def test_wrong_picture_for_a_frame():
    frame = Frame(0, 0, 4, 4, 4, 4, 2)
    with pytest.raises(ValueError, match="4 x 4 pixels, this one has 4 x 5"):
        frame_mask(np.zeros((4, 5), np.uint8), frame)


def native_mask(height, width, centre, radius):
    y, x = np.mgrid[:height, :width]
    distance = np.hypot((y - centre[0]) * 0.9, x - centre[1])
    return np.where(distance < 0.55 * radius, 2, np.where(distance < radius, 1, 0)).astype(np.uint8)


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.mark.parametrize(
    ("height", "width", "field", "disc", "size"),
    [
        (1000, 1496, ((500, 748), 575), ((450, 500), 115), 256),
        (512, 512, ((256, 256), 240), ((200, 300), 60), 256),
        (300, 450, ((130, 150), 120), ((120, 90), 25), 256),
        (256, 256, ((128, 128), None), ((100, 60), 25), 256),
    ],
)
def test_a_mask_survives_the_way_there_and_back(height, width, field, disc, size):
    mask = native_mask(height, width, *disc)
    frame = find_frame(photograph(height, width, *field), size)
    framed = frame_mask(mask, frame)
    one_hot = np.eye(3, dtype=np.float32)[np.where(framed == 255, 0, framed)]
    native = unframe_probabilities(one_hot, frame)
    assert native.shape == (height, width, 3)
    assert native.dtype == np.float32
    assert np.allclose(native.sum(axis=-1), 1, atol=1e-6)
    found = native.argmax(axis=-1)
    assert dice(found > 0, mask > 0) > 0.98
    assert dice(found == 2, mask == 2) > 0.98


def test_outside_the_box_is_background():
    frame = Frame(1, 2, 2, 2, 4, 6, 2)
    native = unframe_probabilities(np.tile(np.float32([0, 0.25, 0.75]), (2, 2, 1)), frame)
    assert native[1:3, 2:4].reshape(-1, 3).tolist() == [[0, 0.25, 0.75]] * 4
    native[1:3, 2:4] = [1, 0, 0]
    assert (native == [1, 0, 0]).all()


def test_coarse_probabilities_are_interpolated_between_pixel_centres():
    """Worked by hand: 2 values over 4 pixels lie at 1/2 and 5/2 + 1/2."""
    frame = Frame(0, 0, 4, 4, 4, 4, 4)
    coarse = np.zeros((1, 2, 2), np.float32)
    coarse[0, 1] = 1
    native = unframe_probabilities(coarse, frame)
    assert native[..., 0].tolist() == [[0, 0.25, 0.75, 1]] * 4

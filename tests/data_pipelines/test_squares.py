"""The square around a disc: found, drawn, its error measured; frames compose back exactly."""

import math

import numpy as np
import pytest

from data_pipelines.framing import Frame, find_frame, frame_image, frame_mask, unframe_probabilities
from data_pipelines.squares import (
    Disc,
    LocatorError,
    Square,
    disc_of_mask,
    find_disc,
    frame_of_square,
    measured_error,
    square_around,
)

WHOLE = Frame(0, 0, 200, 200, 200, 200, 50)  # four native pixels a working pixel


def ellipse(shape, row, column, height, width):
    """bool: an ellipse about pixel coordinates (row, column), where pixel centres are at + 0.5."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    return ((y + 0.5 - row) / (height / 2)) ** 2 + ((x + 0.5 - column) / (width / 2)) ** 2 <= 1


def probabilities(disc, certain=0.9):
    """(h, w, 3): the disc is rim with this probability."""
    rim = np.where(disc, certain, 0.02)
    return np.stack([1 - rim, rim, np.zeros_like(rim)], axis=-1)


def test_a_disc_is_found_in_native_pixels():
    disc = find_disc(probabilities(ellipse((50, 50), 20, 30, 12, 10)), WHOLE)
    assert disc == Disc(row=80.0, column=120.0, diameter=44.0)


def test_of_two_regions_the_larger_is_the_disc():
    both = ellipse((50, 50), 20, 30, 12, 12) | ellipse((50, 50), 40, 8, 5, 5)
    assert find_disc(probabilities(both), WHOLE).diameter == pytest.approx(48)


@pytest.mark.parametrize(
    "disc",
    [
        np.zeros((50, 50), bool),
        np.ones((50, 50), bool),
        ellipse((50, 50), 25, 25, 40, 12),  # a strip
        ellipse((50, 50), 25, 25, 20, 20) ^ ellipse((50, 50), 25, 25, 17, 17),  # a ring
        ellipse((50, 50), 10, 10, 1, 1),  # a single pixel
    ],
    ids=["nothing", "everything", "strip", "ring", "speck"],
)
def test_what_no_disc_looks_like_is_not_credible(disc):
    assert find_disc(probabilities(disc), WHOLE) is None


def test_a_doubtful_disc_is_not_credible():
    disc = ellipse((50, 50), 20, 30, 12, 10)
    assert find_disc(probabilities(disc, certain=0.55), WHOLE) is None
    assert find_disc(probabilities(disc, certain=0.7), WHOLE) is not None


def test_the_disc_of_a_mask():
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 30:54] = 1
    mask[25:35, 36:48] = 2
    assert disc_of_mask(mask) == Disc(row=30.0, column=42.0, diameter=22.0)
    assert disc_of_mask(np.full((60, 80), 255, np.uint8)) is None


def test_a_square_has_so_many_diameters():
    assert square_around(Disc(30.0, 42.0, 20.0), 2.0) == Square(top=10, left=22, side=40)


@pytest.mark.parametrize("place", [(30, 40), (0, 0), (59, 79)], ids=["inside", "corner", "end"])
def test_a_mask_goes_to_its_square_and_back_exactly(place):
    """At the square's own resolution; squares that stick out of the photograph as well."""
    mask = np.zeros((60, 80), np.uint8)
    mask[ellipse(mask.shape, *place, 20, 22)] = 1
    mask[ellipse(mask.shape, *place, 9, 11)] = 2
    square = square_around(Disc(*map(float, place), 24.0), 1.5)
    frame = frame_of_square(square, mask.shape, size=square.side)
    inside = frame_mask(mask, frame)
    assert inside.shape == (square.side, square.side)
    back = unframe_probabilities(np.eye(3, dtype=np.float32)[np.where(inside == 255, 0, inside)], frame)
    assert (back.argmax(axis=-1) == mask).all()


def test_a_square_shows_the_photographs_own_pixels():
    rng = np.random.default_rng(0)
    photograph = rng.integers(0, 256, (60, 80, 3), np.uint8)
    seen = frame_image(photograph, frame_of_square(Square(10, 20, 30), (60, 80), 30))
    assert (seen == photograph[10:40, 20:50]).all()
    over = frame_image(photograph, frame_of_square(Square(-5, 70, 20), (60, 80), 20))
    assert (over[:5] == 0).all() and (over[:, 10:] == 0).all()
    assert (over[5:, :10] == photograph[:15, 70:]).all()


def test_a_disc_found_on_a_whole_photograph_is_where_it_is():
    """Through the frame of the lit field and back: within a working pixel."""
    photograph = np.zeros((300, 400, 3), np.uint8)
    photograph[ellipse((300, 400), 150, 200, 280, 280)] = (150, 90, 40)
    frame = find_frame(photograph, 70)
    true = ellipse((300, 400), 120, 250, 60, 56)
    seen = frame_mask(true.astype(np.uint8), frame)
    disc = find_disc(probabilities(seen == 1), frame)
    step = frame.height / 70
    assert abs(disc.row - 120) < step and abs(disc.column - 250) < step
    assert abs(disc.diameter - 58) < step


def test_the_error_is_measured_about_zero_in_diameters():
    true = [Disc(50.0, 50.0, 20.0)] * 6
    found = [Disc(52.0, 50.0, 20.0), Disc(48.0, 50.0, 20.0)] * 3
    error = measured_error(found, true)
    assert error.eyes == 6
    assert error.shift == pytest.approx(math.sqrt(0.1**2 / 2)) and error.size == 0
    # Discs that are always too large are an error, too.
    large = measured_error([Disc(50.0, 50.0, 22.0)] * 6, true)
    assert large.size == pytest.approx(math.log(1.1)) and large.shift == 0


def test_too_few_eyes_measure_nothing():
    disc = Disc(50.0, 50.0, 20.0)
    assert measured_error([disc] * 4 + [None] * 9, [disc] * 13) == LocatorError()
    assert measured_error([], []) == LocatorError()

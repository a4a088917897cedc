import numpy as np
import pytest

from imo_jax.metrics.cup_to_disc import area_cdr, vertical_cdr


def eye(disc_rows=(2, 12), cup_rows=(4, 9)):
    ids = np.zeros((20, 20), np.uint8)
    ids[slice(*disc_rows), 5:15] = 1
    ids[slice(*cup_rows), 7:12] = 2
    return ids


def test_by_hand():
    assert vertical_cdr(eye()) == 5 / 10
    assert area_cdr(eye()) == 25 / 100
    # Wider than high: only the height counts.
    assert vertical_cdr(eye()[:, :12]) == 5 / 10


def test_special_values():
    assert vertical_cdr(np.where(eye() == 2, 1, eye())) == 0
    assert vertical_cdr(np.where(eye() > 0, 2, 0)) == 1
    assert np.isnan(vertical_cdr(np.zeros((4, 4), np.uint8)))
    assert np.isnan(area_cdr(np.full((4, 4), 255, np.uint8)))


@pytest.mark.parametrize("stray", [1, 2])
def test_stray_pixels_are_left_out_unless_wanted(stray):
    ids = eye()
    ids[18, 18] = stray
    assert vertical_cdr(ids) == 5 / 10 and area_cdr(ids) == 25 / 100
    raw = vertical_cdr(ids, largest_component=False)
    assert raw == (5 / 17 if stray == 1 else 15 / 17)
    assert area_cdr(ids, largest_component=False) == (25 if stray == 1 else 26) / 101


def test_stray_cup_within_the_disc():
    ids = eye()
    ids[11, 14] = 2
    assert vertical_cdr(ids) == 5 / 10
    assert vertical_cdr(ids, largest_component=False) == 8 / 10


def test_ignored_pixels_are_outside():
    ids = eye()
    ids[2:4] = 255
    assert vertical_cdr(ids) == 5 / 8

import numpy as np
import pytest

from imo_jax.metrics.cup_to_disc import ratio_errors, soft_vertical_cdr, vertical_cdr


def eye(disc_rows=(2, 12), cup_rows=(4, 9)):
    ids = np.zeros((20, 20), np.uint8)
    ids[slice(*disc_rows), 5:15] = 1
    ids[slice(*cup_rows), 7:12] = 2
    return ids


def test_by_hand():
    assert vertical_cdr(eye()) == 5 / 10
    # Wider than high: only the height counts.
    assert vertical_cdr(eye()[:, :12]) == 5 / 10


def test_special_values():
    assert vertical_cdr(np.where(eye() == 2, 1, eye())) == 0
    assert vertical_cdr(np.where(eye() > 0, 2, 0)) == 1
    assert np.isnan(vertical_cdr(np.zeros((4, 4), np.uint8)))
    assert np.isnan(vertical_cdr(np.full((4, 4), 255, np.uint8)))


@pytest.mark.parametrize("stray", [1, 2])
def test_stray_pixels_are_left_out_unless_wanted(stray):
    ids = eye()
    ids[18, 18] = stray
    assert vertical_cdr(ids) == 5 / 10
    raw = vertical_cdr(ids, largest_component=False)
    assert raw == (5 / 17 if stray == 1 else 15 / 17)


def test_stray_cup_within_the_disc():
    ids = eye()
    ids[11, 14] = 2
    assert vertical_cdr(ids) == 5 / 10
    assert vertical_cdr(ids, largest_component=False) == 8 / 10


def test_ignored_pixels_are_outside():
    ids = eye()
    ids[2:4] = 255
    assert vertical_cdr(ids) == 5 / 8


def column(values):
    """Probabilities of a cup and of the disc in one column of a picture three columns wide."""
    cup, disc = (np.zeros((len(values), 3)) for _ in range(2))
    cup[:, 1], disc[:, 1] = np.transpose(values)
    return np.stack([1 - disc, disc - cup, cup], axis=-1)


def test_contour_between_rows_by_hand():
    """Disc: 1.25 rows above the centre of row 2 to the centre of row 4; cup: half of it."""
    probabilities = column([(0, 0), (0, 0.4), (0, 0.8), (0.9, 1), (0.3, 1), (0, 0), (0, 0)])
    # Disc from 2 - (0.8 - 0.5) / (0.8 - 0.4) = 1.25 to 4 + (1 - 0.5) / (1 - 0) = 4.5.
    # Cup from 3 - (0.9 - 0.5) / 0.9 to 3 + (0.9 - 0.5) / (0.9 - 0.3).
    expected = (4 / 9 + 2 / 3) / 3.25
    assert soft_vertical_cdr(probabilities) == pytest.approx(expected)


def test_certain_probabilities_give_the_ratio_of_their_ids():
    rng = np.random.default_rng(0)
    for _ in range(20):
        y, x = np.mgrid[:40, :40]
        centre, height = rng.uniform(15, 25, 2), rng.uniform(6, 14)
        away = np.hypot((y - centre[0]) / height, (x - centre[1]) / 9)
        ids = (away < 1).astype(int) + (away < rng.uniform(0.2, 0.9))
        assert soft_vertical_cdr(np.eye(3)[ids]) == pytest.approx(vertical_cdr(ids), abs=1e-9)


def test_a_disc_seen_coarsely_keeps_its_ratio():
    """Ellipses averaged over cells of 4 x 4: whole rows are off by up to a tenth, this is not."""
    y, x = np.mgrid[:160, :160] + 0.5
    for height in (11.3, 13.9, 16.2):
        away = np.hypot((y - 81.7) / 27.4, (x - 79.1) / 25)
        cup = np.hypot((y - 81.7) / height, (x - 79.1) / height) < 1
        ids = (away < 1).astype(int) + cup
        coarse = np.eye(3)[ids].reshape(40, 4, 40, 4, 3).mean(axis=(1, 3))
        assert soft_vertical_cdr(coarse) == pytest.approx(height / 27.4, abs=0.02)


def test_contour_at_the_edge_and_nowhere():
    assert np.isnan(soft_vertical_cdr(column([(0, 0.4)] * 3)))
    assert soft_vertical_cdr(column([(0, 1), (1, 1), (0, 1)])) == pytest.approx(1 / 3)
    assert soft_vertical_cdr(column([(0, 1)] * 3)) == 0


def test_a_stray_piece_does_not_stretch_the_contour():
    probabilities = column([(0, 0), (0, 1), (1, 1), (0, 1), (0, 0), (0, 0.9)])
    assert soft_vertical_cdr(probabilities) == pytest.approx(1 / 3)


def test_a_miss_counts_as_a_ratio_of_0_and_a_truth_without_a_disc_not_at_all():
    predicted = np.array([0.5, np.nan, 0.5, np.nan])
    true = np.array([0.75, 0.75, np.nan, np.nan])
    np.testing.assert_array_equal(ratio_errors(predicted, true), [0.25, 0.75, np.nan, np.nan])

import numpy as np
import pytest

from imo_jax.metrics import baseline


def eye(row, column, disc=6, cup=2, size=32):
    ids = np.zeros((size, size), np.uint8)
    y, x = np.mgrid[:size, :size]
    distance = np.hypot(y - row, x - column)
    ids[distance <= disc] = 1
    ids[distance <= cup] = 2
    return ids


def test_equal_shapes_are_put_at_the_mean_position():
    masks = np.stack([eye(10, 10), eye(14, 20)])
    np.testing.assert_array_equal(baseline.mean_shape(masks), eye(12, 15))


def test_the_shape_is_the_median_one():
    masks = np.stack([eye(16, 16, disc, cup) for disc, cup in ((5, 1), (6, 2), (9, 4))])
    np.testing.assert_array_equal(baseline.mean_shape(masks), eye(16, 16, 6, 2))


def test_masks_without_a_disc_are_left_out():
    blank, ignored = np.zeros((32, 32), np.uint8), np.full((32, 32), 255, np.uint8)
    masks = np.stack([blank, eye(10, 10), ignored])
    shape = baseline.mean_shape(masks)
    np.testing.assert_array_equal(shape, eye(10, 10))
    assert shape.dtype == np.uint8
    with pytest.raises(ValueError, match="at least one training mask"):
        baseline.mean_shape(blank[None])


def test_grade_frequencies():
    shares = baseline.grade_frequencies(np.array([2, 0, 2, 2]), 3)
    np.testing.assert_array_equal(shares, [0.25, 0, 0.75])
    with pytest.raises(ValueError, match="graded training eye"):
        baseline.grade_frequencies(np.array([], int), 3)

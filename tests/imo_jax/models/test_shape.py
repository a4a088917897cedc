"""Measures of soft masks against ellipses whose measures are known."""

import jax
import numpy as np

from imo_jax.models.imo.shape import NUM_MEASURES, SECTORS, shape_measures

SIDE, STRIDE = 64, 4


def eye(disc=(80, 60), cup=(40, 20), centre=(120, 130), cup_centre=None):
    """Probabilities (1, SIDE, SIDE, 3) of two ellipses (height, width) seen at stride 4."""
    y, x = np.mgrid[: SIDE * STRIDE, : SIDE * STRIDE] + 0.5

    def ellipse(size, middle):
        return np.hypot(2 * (y - middle[0]) / size[0], 2 * (x - middle[1]) / size[1]) < 1

    ids = ellipse(disc, centre).astype(int)
    ids[ellipse(cup, cup_centre or centre)] = 2
    cells = np.eye(3)[ids].reshape(SIDE, STRIDE, SIDE, STRIDE, 3).mean(axis=(1, 3))
    return cells[None].astype(np.float32)


def measured(probabilities):
    """The measures as ratios, not centred and scaled for the network."""
    found = np.asarray(jax.jit(shape_measures)(probabilities))
    assert found.shape == (len(probabilities), NUM_MEASURES) and found.dtype == np.float32
    return found / 4 + 0.5


def test_ratios_of_concentric_ellipses():
    found = measured(eye())[0]
    height, width, area, columns, diameter = found[:5]
    np.testing.assert_allclose(height, 40 / 80, atol=0.01)
    np.testing.assert_allclose(width, 20 / 60, atol=0.02)
    np.testing.assert_allclose(area, 40 * 20 / (80 * 60), atol=0.01)
    np.testing.assert_allclose(columns, 40 / 80, atol=0.03)
    # sqrt(80 * 60) pixels of a side of 256, doubled to reach 1
    np.testing.assert_allclose(diameter, 2 * np.sqrt(80 * 60) / 256, atol=0.01)


def test_smaller_than_a_cell_counts():
    """The ratio follows the cup's height by half cells, steadily."""
    heights = np.arange(36, 50, 2)
    found = [measured(eye(cup=(height, 30)))[0, 0] for height in heights]
    np.testing.assert_allclose(found, heights / 80, atol=0.025)
    assert (np.diff(found) > 0.005).all()


def test_place_does_not_matter():
    near, far = measured(eye()), measured(eye(centre=(160, 70)))
    np.testing.assert_allclose(near, far, atol=0.02)


def test_the_rim_is_thin_where_the_cup_leans():
    """A cup moved to the right leaves least rim there, and most on the left."""
    rim = measured(eye(disc=(80, 80), cup=(40, 40), cup_centre=(120, 146)))[0, 5:]
    assert rim.shape == (SECTORS,)
    assert rim.argmin() == 0 and rim.argmax() == SECTORS // 2
    np.testing.assert_allclose(rim[1:4], rim[:-4:-1], atol=0.05)  # below as above
    below = measured(eye(disc=(80, 80), cup=(40, 40), cup_centre=(136, 130)))[0, 5:]
    assert below.argmin() == SECTORS // 4  # image axes: downwards


def test_no_disc_and_little_probability_measure_nothing():
    background = np.zeros((1, SIDE, SIDE, 3), np.float32)
    background[..., 0], background[..., 1] = 0.8, 0.2
    np.testing.assert_array_equal(shape_measures(background), 0)
    haze = eye() * 0.9 + background * 0.1
    np.testing.assert_allclose(measured(haze), measured(eye()), atol=0.03)


def test_no_cup_has_ratios_of_zero():
    ids = eye()
    ids[..., 1] += ids[..., 2]
    ids[..., 2] = 0
    found = measured(ids)[0]
    np.testing.assert_allclose(found[[0, 1, 2, 3]], 0, atol=1e-6)
    np.testing.assert_allclose(found[5:], 1, atol=1e-6)

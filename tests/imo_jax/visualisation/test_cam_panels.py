import numpy as np

from imo_jax.visualisation import cam_panels, colours
from imo_jax.visualisation.cam_panels import ScanRow, cam_overlay, evidence_limit, scan_panel

RNG = np.random.default_rng(0)


def a_row(name, strength, number=2):
    scans = RNG.integers(0, 256, (number, 40, 30)).astype(np.uint8)
    cams = strength * RNG.normal(size=(number, 5, 4))
    return ScanRow(name, scans, cams, np.linspace(0.1, 0.9, number))


def test_signs_have_their_colours():
    grey = np.full((8, 8), 100, np.uint8)
    shown = cam_overlay(grey, np.array([[1.0, 0.0, -1.0]]), 1.0, 60)
    left, middle, right = shown[30, 0].astype(int), shown[30, 30], shown[30, -1].astype(int)
    assert left[0] > left[2] + 80 and right[2] > right[0] + 80
    np.testing.assert_allclose(middle, 100, atol=12)
    faint = cam_overlay(grey, np.array([[1.0, 0.0, -1.0]]), 10.0, 60)
    assert abs(faint.astype(int) - 100).max() < abs(shown.astype(int) - 100).max() / 4


def test_blending_by_hand():
    grey = np.array([0, 200], np.uint8)
    np.testing.assert_array_equal(colours.blend_evidence(grey, np.zeros(2))[1], [200] * 3)
    strong = colours.blend_evidence(grey, np.array([5.0, -5.0]))
    np.testing.assert_allclose(strong[0], 0.85 * 0.55 * np.array(colours.FOR), atol=1)
    tinted = np.array(colours.AGAINST) * (0.55 + 0.45 * 200 / 255)
    np.testing.assert_allclose(strong[1], 200 + 0.85 * (tinted - 200), atol=1)


def test_one_scale_for_all():
    weak, strong = a_row("normal", 0.1), a_row("glaucoma", 3.0)
    limit = evidence_limit([weak.cams, strong.cams])
    assert limit > np.abs(strong.cams).max() * 0.8 and evidence_limit([np.zeros((2, 2))]) > 0
    page = scan_panel([strong, weak], title="title", tile=80)
    assert page.dtype == np.uint8 and page.shape[-1] == 3
    taller = scan_panel([strong, weak], title="title", tile=100)
    assert taller.shape[0] > page.shape[0]
    assert (scan_panel([strong, weak], title="other", tile=80) != page).any()


def test_volume_from_above():
    volume = RNG.integers(0, 60, (6, 20, 10)).astype(np.uint8)
    volume[2] += 150  # a bright B-scan is a bright row
    cam = np.zeros((3, 4, 5))
    cam[0] = 1.0
    page = cam_panels.volume_panel(volume, cam, title="title", tile=60)
    assert page.dtype == np.uint8
    tile = cam_panels._grey_tile(cam_panels.seen_from_above(volume), 60)
    assert tile[25].mean() > tile[45].mean() + 100
    assert (page != cam_panels.volume_panel(volume, -cam, title="title", tile=60)).any()

import numpy as np
import pytest

from imo_jax.metrics.cup_to_disc import vertical_cdr
from imo_jax.metrics.disc_measures import areas_in_words, follows_isnt, measure_disc

ROWS, COLUMNS = np.indices((321, 361)) - np.array([160, 180])[:, None, None]


def ellipse(height, width, up=0, right=0):
    """Bool mask of an ellipse with these half axes, moved from the middle."""
    return ((ROWS + up) / height) ** 2 + ((COLUMNS - right) / width) ** 2 <= 1


def eye(disc, cup):
    return disc.astype(np.uint8) + (disc & cup)


CONCENTRIC = eye(ellipse(120, 100), ellipse(60, 40))


def test_ratios_and_areas_of_concentric_ellipses():
    found = measure_disc(CONCENTRIC)
    # Extents of half axis n on a grid of pixels: 2 n + 1.
    assert found.vertical_cdr == 121 / 241 and found.horizontal_cdr == 81 / 201
    assert found.disc_height == 241
    np.testing.assert_allclose(found.disc_area, np.pi * 120 * 100, rtol=2e-3)
    np.testing.assert_allclose(found.cup_area, np.pi * 60 * 40, rtol=2e-3)
    np.testing.assert_allclose(found.area_cdr, 60 * 40 / (120 * 100), rtol=4e-3)


def test_the_same_ratio_as_its_own_function():
    assert measure_disc(CONCENTRIC).vertical_cdr == vertical_cdr(CONCENTRIC)


@pytest.mark.parametrize("stray", [1, 2])
def test_the_ratio_of_areas_by_hand_and_with_stray_pixels(stray):
    ids = np.zeros((20, 20), np.uint8)
    ids[2:12, 5:15], ids[4:9, 7:12] = 1, 2
    assert measure_disc(ids).area_cdr == 25 / 100
    ids[18, 18] = stray
    assert measure_disc(ids).area_cdr == 25 / 100
    raw = measure_disc(ids, largest_component=False).area_cdr
    assert raw == (25 if stray == 1 else 26) / 101


def test_rim_of_concentric_circles_is_even():
    found = measure_disc(eye(ellipse(120, 120), ellipse(70, 70)))
    np.testing.assert_allclose(found.clock_rim, 50, atol=1.0)
    np.testing.assert_allclose(list(found.sector_rim.values()), 50, atol=0.5)
    assert list(found.sector_rim) == ["superior", "right", "inferior", "left"]


def test_rim_along_the_axes_of_ellipses():
    clock = dict(zip([12, *range(1, 12)], measure_disc(CONCENTRIC).clock_rim, strict=True))
    # 60 pixels on all four axes; about 12 o'clock the mean over +-15 degrees is near it.
    for hour in (12, 3, 6, 9):
        np.testing.assert_allclose(clock[hour], 60, atol=2.5)


def test_a_cup_moved_down_leaves_the_wider_rim_above():
    # Radius 100 and 50, moved down by 20: 100 - (50 - 20) above, 100 - (50 + 20) below.
    ids = eye(ellipse(100, 100), ellipse(50, 50, up=-20))
    found = measure_disc(ids)
    np.testing.assert_allclose(found.clock_rim[0], 70, atol=1.5)
    np.testing.assert_allclose(found.clock_rim[6], 30, atol=1.5)
    assert found.sector_rim["superior"] > found.sector_rim["inferior"]
    mirrored = measure_disc(ids[::-1])
    assert mirrored.sector_rim["inferior"] == pytest.approx(found.sector_rim["superior"], abs=0.5)


def test_nasal_and_temporal_by_the_side_of_the_eye():
    ids = eye(ellipse(100, 100), ellipse(50, 50, right=20))  # thin at the right of the photograph
    right_eye, left_eye = measure_disc(ids, eye="OD"), measure_disc(ids, eye="OS")
    assert right_eye.sector_rim["nasal"] < right_eye.sector_rim["temporal"]
    assert left_eye.sector_rim["temporal"] == right_eye.sector_rim["nasal"]
    assert measure_disc(ids).isnt is None
    with pytest.raises(ValueError, match="neither 'OD'"):
        measure_disc(ids, eye="right")


def test_isnt_order():
    widths = {"inferior": 4.0, "superior": 3.0, "nasal": 2.0, "temporal": 1.0}
    assert follows_isnt(widths)
    assert follows_isnt(dict.fromkeys(widths, 1.0))
    for name in ("superior", "nasal", "temporal"):
        assert not follows_isnt(widths | {name: 4.5})
    # Cup moved up and towards the temple of a right eye: the photograph's left.
    healthy = eye(ellipse(130, 100), ellipse(45, 45, up=5, right=-14))
    assert measure_disc(healthy, eye="OD").isnt is True
    assert measure_disc(healthy, eye="OS").isnt is False


def test_no_cup_no_disc_and_stray_pixels():
    bare = measure_disc(eye(ellipse(100, 100), np.zeros((321, 361), bool)))
    assert bare.vertical_cdr == bare.area_cdr == 0 and bare.cup_area == 0
    np.testing.assert_allclose(bare.clock_rim, 100, atol=1)
    assert measure_disc(np.zeros((9, 9), np.uint8)) is None
    assert measure_disc(np.full((9, 9), 255, np.uint8)) is None
    stray = CONCENTRIC.copy()
    stray[0, 0] = 1
    assert measure_disc(stray) == measure_disc(CONCENTRIC)
    assert measure_disc(stray, largest_component=False).disc_height > 241


def test_where_the_disc_lies_and_how_large_it_is_do_not_change_shares():
    moved = np.roll(CONCENTRIC, (25, -40), axis=(0, 1))
    assert measure_disc(moved) == measure_disc(CONCENTRIC)
    doubled = measure_disc(CONCENTRIC.repeat(2, axis=0).repeat(2, axis=1))
    once = measure_disc(CONCENTRIC)
    for name, share in doubled.to_json()["rim_width"].items():
        assert share == pytest.approx(once.to_json()["rim_width"][name], abs=0.005)
    assert doubled.disc_area == 4 * once.disc_area


def test_json_in_millimetres_only_where_spacing_is_known():
    found = measure_disc(CONCENTRIC, eye="OS")
    plain = found.to_json()
    spaced = measure_disc(CONCENTRIC, eye="OS", mm_per_pixel=0.01).to_json()
    assert plain["disc_area_mm2"] is None and plain["disc_area_px"] == found.disc_area
    assert spaced["disc_area_mm2"] == pytest.approx(found.disc_area * 1e-4)
    assert spaced["cup_area_mm2"] == pytest.approx(found.cup_area * 1e-4)
    assert plain["rim_width_mm"] is None and plain["disc_height_mm"] is None
    assert spaced["disc_height_mm"] == pytest.approx(2.41)
    assert spaced["rim_width_mm"]["temporal"] == pytest.approx(0.60, abs=0.02)
    assert plain["rim_width"]["temporal"] == pytest.approx(60 / 241, abs=0.01)
    assert list(plain["rim_width_by_clock_hour"])[:3] == ["12", "1", "2"]


def test_millimetres_of_a_square_worked_by_hand():
    """A disc of 40 x 40 pixels with a cup of 20 x 20 in its middle, 0.05 mm a pixel."""
    ids = np.zeros((60, 60), np.uint8)
    ids[10:50, 10:50], ids[20:40, 20:40] = 1, 2
    found = measure_disc(ids, mm_per_pixel=0.05)
    assert found.disc_area_mm2 == pytest.approx(4.0)  # 2 mm x 2 mm
    assert found.cup_area_mm2 == pytest.approx(1.0)  # 1 mm x 1 mm
    assert found.disc_height_mm == pytest.approx(2.0)
    # The ray at angle a from the top leaves cup and disc at 10 and 20 pixels over cos a: the mean
    # of 10 / cos a over -45 to 45 degrees is 10 ln((1 + sin 45) / cos 45) / (pi / 4) = 11.222.
    for width in found.sector_rim_mm.values():
        assert width == pytest.approx(0.05 * 11.222, abs=0.01)
    assert areas_in_words(found) == "disc 4.00 mm², cup 1.00 mm²"
    assert areas_in_words(measure_disc(ids)) == ""

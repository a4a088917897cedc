import numpy as np
import pytest

from imo_jax.visualisation import colours, tiles


def test_square_around_by_hand():
    mask = np.zeros((100, 200), bool)
    mask[40:60, 90:100] = True
    # Side 20 + 2 * 0.5 * 20 around row 50, column 95.
    expected = (75 / 200, 30 / 100, 115 / 200, 70 / 100)
    np.testing.assert_allclose(tiles.square_around(mask), expected)
    tight = tiles.square_around(mask, margin=0.0)
    np.testing.assert_allclose(tight, (85 / 200, 40 / 100, 105 / 200, 60 / 100))


def test_square_stays_within_the_image():
    mask = np.zeros((100, 200), bool)
    mask[:10, 190:] = True
    np.testing.assert_allclose(tiles.square_around(mask), (0.9, 0.0, 1.0, 0.2))
    everything = tiles.square_around(np.ones((100, 200), bool))
    np.testing.assert_allclose(everything, (0.25, 0.0, 0.75, 1.0))
    np.testing.assert_allclose(tiles.square_around(np.zeros((100, 200), bool)), everything)


def test_cut_shows_the_box():
    image = np.zeros((40, 80), np.uint8)
    image[10:20, 20:30] = 200
    box = (20 / 80, 10 / 40, 30 / 80, 20 / 40)
    shown = tiles.cut(image, box, (30, 30))
    assert shown.shape == (30, 30) and (shown[3:-3, 3:-3] == 200).all()
    assert tiles.cut(image.astype(np.float32), box, (30, 30)).dtype == np.float32


def test_cut_does_not_depend_on_what_is_outside():
    image = np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8)
    box = (0.4, 0.5, 0.6, 0.7)
    part, inner = tiles.narrow(image, box)
    assert part.shape[0] < 70
    np.testing.assert_array_equal(tiles.cut(image, box, (50, 50)), tiles.cut(part, inner, (50, 50)))


def test_letterbox_keeps_the_aspect():
    tile, part = tiles.letterbox(np.full((50, 100, 3), 255, np.uint8), 40)
    assert part == (0.0, 0.25, 1.0, 0.75)
    assert (tile[10:30] == 255).all() and (tile[:10] == 0).all() and (tile[30:] == 0).all()


@pytest.mark.parametrize("row_names", [(), ("one", "two")])
def test_sheet_holds_every_tile_and_text(row_names):
    rows = [[np.full((50, 50, 3), 10 * r + c, np.uint8) for c in range(3)] for r in range(2)]
    page = tiles.sheet(
        rows, title="title", captions=["a", "b", "c"], row_names=row_names,
        legend=[("disc", (1, 2, 3))],
    )  # fmt: skip
    assert page.dtype == np.uint8 and page.ndim == 3
    for r in range(2):
        for c in range(3):
            assert (page == 10 * r + c).all(axis=-1).sum() >= 2500
    assert (page == (1, 2, 3)).all(axis=-1).any()
    bare = tiles.sheet(rows, title="", captions=["", "", ""])
    assert bare.max() < page.max()


def test_a_long_title_is_shrunk_to_the_page():
    rows = [[np.zeros((100, 100, 3), np.uint8)] * 3]
    page = tiles.sheet(rows, title="a rather long title " * 3, captions=[""] * 3)
    written = (page.max(axis=-1) > 100).any(axis=0)
    assert written.any() and not written[-tiles.GAP :].any()


def test_notes_stand_below_the_page_and_are_wrapped_to_its_width():
    page = np.full((50, 300, 3), 7, np.uint8)
    assert tiles.with_notes(page, ()) is page
    one = tiles.with_notes(page, ["short"])
    many = tiles.with_notes(page, ["words that are many " * 6, "short"])
    assert one.shape[1] == many.shape[1] == 300 and 50 < len(one) < len(many)
    np.testing.assert_array_equal(many[:50], page)
    assert (one[50:] == colours.WARNING).all(axis=-1).any()
    assert not (many[:, -1] == colours.WARNING).all(axis=-1).any()

import numpy as np

from imo_jax.visualisation import colours
from imo_jax.visualisation.outlines import draw_outline, draw_regions
from imo_jax.visualisation.tiles import WHOLE

GREY = np.full((80, 80, 3), 128, np.uint8)
Y, X = np.mgrid[:80, :80]
RADIUS = np.hypot(Y - 39.5, X - 39.5)


def changed(before, after):
    return (before != after).any(axis=-1)


def test_the_line_lies_on_the_border():
    mask = (RADIUS < 20).astype(np.float32)
    drawn = draw_outline(GREY, mask, colours.DISC, 2.0)
    assert (drawn == colours.DISC).all(axis=-1).any()
    where = RADIUS[changed(GREY, drawn)]
    assert 16.5 < where.min() and where.max() < 23.5
    assert (GREY == 128).all(), "the tile given is not written to"


def test_width_and_dots_matter():
    mask = (RADIUS < 20).astype(np.float32)
    thin, thick = (changed(GREY, draw_outline(GREY, mask, colours.CUP, w)).sum() for w in (1, 4))
    assert thick > 1.4 * thin
    solid = changed(GREY, draw_outline(GREY, mask, colours.CUP, 2.0)).sum()
    dotted = changed(GREY, draw_outline(GREY, mask, colours.CUP, 2.0, dotted=True)).sum()
    assert 0.3 * solid < dotted < 0.7 * solid


def test_an_empty_mask_draws_nothing():
    np.testing.assert_array_equal(draw_outline(GREY, np.zeros((80, 80)), colours.CUP, 2.0), GREY)


def test_regions_have_their_colours_at_any_resolution():
    ids = np.where(RADIUS < 12, 2, np.where(RADIUS < 25, 1, 0)).astype(np.uint8)
    fine = ids.repeat(12, axis=0).repeat(12, axis=1)
    for chosen in (ids, fine, np.where(ids == 0, 255, ids)):
        drawn = draw_regions(GREY, chosen, WHOLE)
        for colour, radius in ((colours.DISC, 25), (colours.CUP, 12)):
            where = RADIUS[(np.abs(drawn.astype(int) - colour).max(axis=-1) < 25)]
            assert len(where) > radius and np.abs(where - radius).max() < 2.0
    white = draw_regions(GREY, ids, WHOLE, colour=colours.TRUTH)
    assert not (white == colours.CUP).all(axis=-1).any()

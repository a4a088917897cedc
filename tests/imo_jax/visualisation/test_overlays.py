import numpy as np
import pytest

from imo_jax.metrics.imo_eye import score_eye
from imo_jax.visualisation import colours
from imo_jax.visualisation.overlays import eye_panel, eye_title

Y, X = np.mgrid[:120, :160]


def disc_at(row, column, disc=20, cup=9):
    radius = np.hypot(Y - row, X - column)
    return np.where(radius < cup, 2, np.where(radius < disc, 1, 0)).astype(np.uint8)


PHOTOGRAPH = np.full((120, 160, 3), (160, 70, 40), np.uint8)
PREDICTED, TRUTH = disc_at(60, 100), disc_at(58, 98)
HEAT = (PREDICTED > 0).astype(np.float32)


def has(image, colour):
    return (image == colour).all(axis=-1).any()


@pytest.mark.parametrize(
    ("mask", "uncertainty", "tiles"),
    [(None, None, 3), (TRUTH, None, 4), (None, HEAT, 4), (TRUTH, HEAT, 5)],
)
def test_a_tile_for_each_thing_known(mask, uncertainty, tiles):
    panel = eye_panel(
        PHOTOGRAPH, PREDICTED, title="t", mask=mask, uncertainty=uncertainty, tile=100
    )
    assert panel.dtype == np.uint8
    assert panel.shape[1] == 8 + tiles * 108
    assert has(panel, colours.DISC) and has(panel, colours.CUP)


def test_the_first_tile_is_called_what_it_shows():
    whole, part = (
        eye_panel(PHOTOGRAPH, PREDICTED, title="", tile=100, view=view)
        for view in ("photograph", "square")
    )
    left = slice(0, 108)  # the first tile with its caption
    assert (whole[:, left] != part[:, left]).any()
    np.testing.assert_array_equal(whole[:, 108:], part[:, 108:])


def test_the_limit_of_the_uncertainty_matters():
    dim, bright = (
        eye_panel(PHOTOGRAPH, PREDICTED, title="", uncertainty=HEAT, uncertainty_limit=limit)
        for limit in (4.0, 1.0)
    )
    assert bright[:, -320:].mean() > dim[:, -320:].mean() + 10


def test_images_of_differing_resolution_are_drawn_alike():
    fine = PREDICTED.repeat(3, axis=0).repeat(3, axis=1)
    panels = [eye_panel(PHOTOGRAPH, ids, title="").astype(int) for ids in (PREDICTED, fine)]
    assert np.abs(panels[0] - panels[1]).mean() < 1.0


def test_the_temporal_side_is_named_where_it_is():
    """The nose is right of a right eye's disc in its photograph, so temporal is left there."""
    plain, right, left = (
        eye_panel(PHOTOGRAPH, PREDICTED, title="", tile=200, eye=eye) for eye in (None, "OD", "OS")
    )
    disc = slice(8 + 208, 8 + 208 + 200)  # the second tile
    for panel, halves in ((right, "temporal nasal"), (left, "nasal temporal")):
        changed = (panel != plain).any(axis=-1)
        assert changed[:, disc].any() and changed.sum() == changed[:, disc].sum()
        first, second = changed[:, disc][:, :100].sum(), changed[:, disc][:, 100:].sum()
        longer = halves.split().index("temporal")  # it has more letters than nasal
        assert (first, second)[longer] > 1.2 * (first, second)[1 - longer] > 0


@pytest.mark.parametrize("mask", [None, np.zeros((120, 160), np.uint8)])
def test_an_eye_without_any_disc_is_drawn(mask):
    nothing = np.zeros((120, 160), np.uint8)
    panel = eye_panel(PHOTOGRAPH, nothing, title="nothing", mask=mask, uncertainty=HEAT)
    assert panel.shape[-1] == 3


def test_titles():
    full = score_eye(
        "eye7", "p", probabilities=np.eye(3)[PREDICTED], mask=TRUTH,
        sample_ids=np.stack([disc_at(60, 80, cup=c) for c in (9, 11)]),
        grade=0, grade_probabilities=np.array([0.2, 0.1, 0.7]),
    )  # fmt: skip
    title = eye_title(full)
    assert title.startswith("eye7")
    assert "grade: true normal, predicted mid/advanced (70 %)" in title
    assert title.endswith("vertical CDR: true 0.44, predicted 0.44")
    assert eye_title(full, (0.4, 0.48)).endswith("predicted 0.44 (0.40 to 0.48)")
    nothing = score_eye("eye8", "p", probabilities=np.eye(3)[0 * PREDICTED])
    assert eye_title(nothing) == "eye8   ·   vertical CDR: no disc found"
    graded = score_eye("eye9", "p", grade_probabilities=np.array([0.2, 0.8, 0.0]))
    assert eye_title(graded) == "eye9   ·   grade: predicted early (80 %)"
    assert eye_title(score_eye("bare", "p")) == "bare"

import numpy as np
import pytest

from imo_jax.visualisation import colours
from imo_jax.visualisation.methods_panel import ComparedEye, View, methods_panel

Y, X = np.mgrid[:120, :160]


def disc_at(row, column, disc=20, cup=9):
    radius = np.hypot(Y - row, X - column)
    return np.where(radius < cup, 2, np.where(radius < disc, 1, 0)).astype(np.uint8)


PHOTOGRAPH = np.full((120, 160, 3), (160, 70, 40), np.uint8)
TRUTH = View(disc_at(58, 98), ("vertical CDR 0.45",))


def eye(truth=TRUTH, **methods):
    return ComparedEye("e1", PHOTOGRAPH, truth, methods)


def has(image, colour):
    return (image == colour).all(axis=-1).any()


@pytest.mark.parametrize("eyes", [1, 3])
def test_a_row_an_eye_and_a_tile_a_method(eyes):
    views = {"UNet++": View(disc_at(60, 100)), "IMO": View(disc_at(58, 99))}
    panel = methods_panel([eye(**views)] * eyes, title="t", tile=100)
    assert panel.dtype == np.uint8
    assert panel.shape[1] > 4 * 108 and panel.shape[0] > eyes * 108
    more = methods_panel([eye(**views, third=TRUTH)] * eyes, title="t", tile=100)
    assert more.shape[1] == panel.shape[1] + 108
    assert has(panel, colours.DISC) and has(panel, colours.CUP)


def test_what_a_method_says_is_drawn_on_its_tile_alone():
    one, other = (
        methods_panel([eye(a=View(disc_at(58, 98)), b=view)], title="t", tile=100)
        for view in (View(disc_at(60, 90)), View(disc_at(50, 100), ("Dice 0.5",)))
    )
    changed = np.flatnonzero((one != other).any(axis=(0, 2)))
    assert changed.min() >= one.shape[1] - 108


@pytest.mark.parametrize(
    ("truth", "view"),
    [(View(None), View(disc_at(60, 100))), (View(None), View(None, ("early (60 %)",))),
     (TRUTH, View(None)), (View(disc_at(0, 0, disc=0, cup=0)), View(None))],
)  # fmt: skip
def test_what_is_unknown_is_left_out(truth, view):
    panel = methods_panel([eye(truth, m=view)], title="t", tile=100)
    assert panel.shape[1] > 3 * 108


def test_maps_of_another_resolution_are_drawn_alike():
    fine = disc_at(60, 100).repeat(3, axis=0).repeat(3, axis=1)
    one, other = (
        methods_panel([eye(m=View(ids))], title="").astype(int) for ids in (disc_at(60, 100), fine)
    )
    assert np.abs(one - other).mean() < 1.0

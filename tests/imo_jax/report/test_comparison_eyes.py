"""The eyes of a comparison, and the cards of its gallery; figures worked by hand."""

import math

import numpy as np
import pytest

from imo_jax.labels import GRADE_NAMES
from imo_jax.metrics.imo_eye import score_eye
from imo_jax.report.comparison import Finished
from imo_jax.report.comparison_eyes import (
    LabelledEye,
    disagreements,
    eye_card,
    eyes_picture,
    eyes_section,
    said,
    seen_by_all,
    shown_eyes,
)

BOTH = ("segment", "grade")
SIDE = 32


def mask(cup_columns):
    """A disc of 8 x 8 pixels, of whose columns so many are cup."""
    ids = np.zeros((SIDE, SIDE), np.uint8)
    ids[12:20, 12:20] = 1
    ids[12:20, 12 : 12 + cup_columns] = 2
    return ids


def row(name, cup_columns, grades):
    """A row that says the same of all eyes; the truth has a cup of four columns, and grade i % 3."""
    predicted = mask(cup_columns)
    records = [
        score_eye(
            f"fold0-eye{i}", f"p{i}", probabilities=np.eye(3)[predicted], mask=mask(4),
            grade_probabilities=np.array(grades), grade=i % 3,
        )
        for i in range(8)
    ]  # fmt: skip
    return Finished(name, name, [records], {}, {}, None, np.stack([predicted] * 8))


def labelled(i):
    photograph = np.full((SIDE, SIDE, 3), 120, np.uint8)
    return LabelledEye(i, f"fold0-eye{i}", photograph, mask(4), 0.5, GRADE_NAMES[i % 3])


@pytest.fixture
def rows():
    return [row("unetpp", 4, (0.6, 0.2, 0.2)), row("imo", 2, (0.1, 0.2, 0.7))]


def test_disagreements_are_means_over_pairs(rows):
    # Discs are alike; cups of 32 and 16 pixels share 16: Dice 2 x 16 / 48.
    expected = {"shapes": (0 + 1 / 3) / 2, "grades": 0.5}
    found = disagreements(rows, 0, BOTH)
    assert found == {name: pytest.approx(value, abs=1e-5) for name, value in expected.items()}
    three = [*rows, row("vit", 4, (0.6, 0.2, 0.2))]
    assert disagreements(three, 0, BOTH)["grades"] == pytest.approx(2 / 3 * 0.5, abs=1e-5)
    assert disagreements(rows, 0, ("grade",)).keys() == {"grades"}
    assert disagreements(rows[:1], 0, BOTH) == {}


def test_a_card_has_an_outline_a_row_and_errors_to_sort_by(rows):
    card = eye_card(rows, labelled(1), BOTH)
    assert card["unetpp"]["cup"] != card["imo"]["cup"] and card["truth"]["disc"]
    assert card["order"]["unetpp_shape_error"] == 0
    assert card["order"]["imo_shape_error"] == pytest.approx(1 / 6, abs=1e-5)
    assert card["order"]["imo_grade_error"] == pytest.approx(0.8)
    assert card["groups"] == ["grade1", "wrong_imo", "wrong_unetpp"]
    assert "unetpp: Dice: disc 1.00, cup 1.00, normal (60 %)" in card["says"]


def test_the_controls_are_those_of_the_rows(rows):
    def gallery_of(heads):
        return eyes_section(rows, map(labelled, range(8)), heads, GRADE_NAMES).gallery

    gallery = gallery_of(BOTH)
    assert list(gallery.orders)[0] == "shapes" and "imo_grade_error" in gallery.orders
    assert list(gallery.layers) == ["unetpp", "imo", "truth"]  # the truth lies over all
    assert set(gallery.colours) == {"unetpp", "imo"} and len(set(gallery.colours.values())) == 2
    shapes = gallery_of(("segment",))
    assert not {key for key in shapes.orders if "grade" in key} and not shapes.groups
    grades = gallery_of(("grade",))
    assert grades.layers == {} and list(grades.orders)[0] == "grades"


def test_shown_eyes_span_the_ratios():
    ratios = [0.3, 0.5, math.nan, 0.1, 0.9, 0.7]
    assert shown_eyes(ratios, 2) == [3, 4] and shown_eyes(ratios, 3) == [3, 1, 4]
    assert shown_eyes(ratios, 50) == [3, 0, 1, 5, 4]
    assert len(shown_eyes([k / 9 for k in range(9)])) == 4
    assert shown_eyes([math.nan] * 6, 2) == [0, 1] and shown_eyes([], 2) == []


def test_what_is_not_scored_is_neither_drawn_nor_said(rows):
    both, shapes, grades = (
        seen_by_all(rows, labelled(1), heads) for heads in (BOTH, ("segment",), ("grade",))
    )
    assert both.truth.lines == ("vertical CDR 0.50", "early")
    assert shapes.truth.lines == ("vertical CDR 0.50",) and grades.truth.lines == ("early",)
    assert grades.methods["imo"].ids is None and both.methods["imo"].ids.shape == (SIDE, SIDE)
    without = LabelledEye(1, "e", np.zeros((SIDE, SIDE, 3), np.uint8), mask(0), math.nan, None)
    assert seen_by_all(rows, without, BOTH).truth.lines == ("no disc",)


def test_the_picture_shows_the_outlines_of_what_is_scored(rows):
    drawn = [eyes_picture(rows, [labelled(1)], heads, "t") for heads in (BOTH, ("grade",))]
    assert drawn[0].dtype == np.uint8 and drawn[0].shape == drawn[1].shape
    assert (drawn[0] != drawn[1]).any()


def test_an_eye_in_few_words():
    mask = np.zeros((8, 8), np.uint8)
    mask[2:6, 2:6] = 1
    both = score_eye(
        "e", "p", probabilities=np.eye(3)[mask], mask=mask, grade=1,
        grade_probabilities=np.array([0.1, 0.2, 0.7]),
    )  # fmt: skip
    dice, grade = "Dice: disc 1.00, cup 1.00", "mid/advanced (70 %)"
    assert said(both, ("segment", "grade")) == (dice, grade)
    assert said(both, ("segment",)) == (dice,) and said(both, ("grade",)) == (grade,)
    assert said(score_eye("e", "p"), ("segment", "grade")) == ()

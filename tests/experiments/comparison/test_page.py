"""The page of a table, and the cards of its gallery; figures worked by hand."""

import json
import re

import numpy as np
import pytest

from experiments import tables
from experiments.comparison.gallery import disagreements, eye_card, eyes_section
from experiments.comparison.rows import TRAINED
from experiments.comparison.scores import Finished
from experiments.comparison.settings import Study
from imo_jax.metrics.imo_eye import score_eye

BOTH = ("segment", "grade")


def mask(cup_columns):
    """A disc of 8 x 8 pixels, of whose columns so many are cup."""
    ids = np.zeros((32, 32), np.uint8)
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
    return Finished(TRAINED[name], name, [records], {}, {}, None, np.stack([predicted] * 8))


@pytest.fixture
def rows():
    return [row("unetpp", 4, (0.6, 0.2, 0.2)), row("imo", 2, (0.1, 0.2, 0.7))]


def test_disagreements_are_means_over_pairs(rows):
    # Discs are alike; cups of 32 and 16 pixels share 16: Dice 2 x 16 / 48.
    expected = {"shapes": (0 + 1 / 3) / 2, "grades": 0.5}
    found = disagreements(rows, BOTH, 0)
    assert found == {name: pytest.approx(value, abs=1e-5) for name, value in expected.items()}
    three = [*rows, row("vit", 4, (0.6, 0.2, 0.2))]
    assert disagreements(three, BOTH, 0)["grades"] == pytest.approx(2 / 3 * 0.5, abs=1e-5)
    assert disagreements(rows, ("grade",), 0).keys() == {"grades"}
    assert disagreements(rows[:1], BOTH, 0) == {}


def test_a_card_has_an_outline_a_row_and_errors_to_sort_by(rows, store):
    card = eye_card(rows, store, BOTH, 1)
    assert card["unetpp"]["cup"] != card["imo"]["cup"] and card["truth"]["disc"]
    assert card["order"]["unetpp_shape_error"] == 0
    assert card["order"]["imo_shape_error"] == pytest.approx(1 / 6, abs=1e-5)
    assert card["order"]["imo_grade_error"] == pytest.approx(0.8)
    assert card["groups"] == ["grade1", "wrong_imo", "wrong_unetpp"]
    assert "unetpp: Dice: disc 1.00, cup 1.00, normal (60 %)" in card["says"]


def test_the_controls_are_those_of_the_rows(rows, store):
    gallery = eyes_section(rows, store, BOTH).gallery
    assert list(gallery.orders)[0] == "shapes" and "imo_grade_error" in gallery.orders
    assert list(gallery.layers) == ["unetpp", "imo", "truth"]  # the truth lies over all
    assert set(gallery.colours) == {"unetpp", "imo"} and len(set(gallery.colours.values())) == 2
    shapes = eyes_section(rows, store, ("segment",)).gallery
    assert not {key for key in shapes.orders if "grade" in key} and not shapes.groups
    grades = eyes_section(rows, store, ("grade",)).gallery
    assert grades.layers == {} and list(grades.orders)[0] == "grades"


def page_of(tmp_path, number, names):
    study = Study(tmp_path, ("m.csv",), seeds=2, rates=(1e-3, 3e-3), extra=("--bootstrap=30",))
    assert tables.run_table(study, number, names) == 0
    return (tmp_path / f"table{number}" / "report.html").read_text()


def cards(page):
    return json.loads(re.search(r'id="cards">(.*?)</script>', page, re.DOTALL)[1])


def test_the_page_of_table_1(fake, tmp_path):
    page = page_of(tmp_path, 1, ["unetpp", "segformer", "imo", "ensemble"])
    for anchor in ("setting", "intervals", "segment-paper", "segment-clinical", "differences",
                   "apart", "cost", "rates", "curves", "eyes", "run", "use"):  # fmt: skip
        assert f'<section id="{anchor}"' in page, anchor
    assert page.count('class="chart"') == 3 + 4 + 1  # scores, differences, learning curves
    assert "Settings of SegFormer" in page and "UNet++ + IMO" in page
    made = cards(page)
    assert len(made) == 8 and {"unetpp", "segformer", "imo", "ensemble", "truth"} <= set(made[0])
    text = (tmp_path / "table1" / "table.md").read_text()
    for number in re.findall(r"[+-]?\d\.\d{3} \([^)]*\)", text):
        assert number in page
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", page)


def test_the_page_of_table_2_sorts_grades_and_shows_roc(fake, tmp_path):
    page = page_of(tmp_path, 2, ["vit", "imo"])
    assert "ROC of glaucoma of any grade (seed 0)" in page
    made = cards(page)
    assert "imo" not in made[0] and "truth" not in made[0]
    assert all({"grades", "vit_grade_error"} <= set(card["order"]) for card in made)

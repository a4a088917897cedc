import base64
import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from imo_jax.report import eye_cards
from imo_jax.report.cards import gallery_section


def test_numbers_to_sort_by(cards):
    good, bad, between = cards
    for key in ("shape_error", "grade_error"):
        assert bad["order"][key] > good["order"][key]
    assert good["order"]["shape_error"] == 0 and between["order"]["shape_error"] > 0
    assert good["order"]["glaucoma"] == pytest.approx(0.3)
    # Samples of cups of 21 and 25 rows in discs of 41.
    assert good["order"]["spread"] == pytest.approx(np.std([21 / 41, 25 / 41], ddof=1), abs=1e-4)


def test_groups_and_words(cards):
    good, bad, _ = cards
    assert good["groups"] == ["grade0"] and bad["groups"] == ["grade1", "wrong"]
    names = eye_cards.group_names()
    assert names["grade0"] == "normal (true grade)" and "wrong" in names
    assert bad["lines"][0] == {"text": "grade: mid/advanced (60 %), true early", "wrong": True}
    assert "vertical ratio: 0.51" in bad["says"] and "rim" in bad["says"]


def test_areas_and_rim_are_said_in_millimetres_where_the_spacing_is_known(eye_of):
    example, answer, record = eye_of(0)
    record["measures_pred"] = dataclasses.replace(record["measures_pred"], mm_per_pixel=0.05)
    lines = [line["text"] for line in eye_cards.eye_card(example, answer, record)["lines"]]
    # Radii of 20 and 10 pixels, 1 mm and 0.5 mm: a circle of pixels has about its area.
    assert "area: disc 3.14 mm², cup 0.79 mm²" in lines
    assert lines[-1].startswith("rim (mm): superior 0.5")
    plain = eye_cards.eye_card(*eye_of(0))["says"]
    assert "mm" not in plain


def test_the_ratio_is_said_with_its_interval(eye_of):
    card = eye_cards.eye_card(*eye_of(0), (0.4, 0.625))
    assert "(0.40 to 0.62), true" in card["says"]


def test_pictures_show_the_disc(cards):
    photo = Image.open(io.BytesIO(base64.b64decode(cards[0]["photo"])))
    assert photo.format == "JPEG" and photo.size == (256, 256)
    left, top, right, bottom = cards[0]["box"]
    # A disc of 41 pixels of 96 with half of it around.
    assert right - left == pytest.approx(2 * 41 / 96, abs=0.03) == bottom - top
    assert cards[0]["truth"]["disc"] and cards[0]["prediction"]["cup"]


def test_steps_end_with_the_result(cards):
    steps = cards[1]["steps"]
    assert [s["name"] for s in steps][:2] == ["step 1 of 2, t = 1.00", "step 2 of 2, t = 0.50"]
    assert steps[-1]["prediction"] == cards[1]["prediction"]
    assert len({s["prediction"]["cup"] for s in steps}) == 3


def test_an_eye_of_a_grader_has_no_outlines(eye_of):
    example, answer, record = eye_of(0)
    answer.probabilities = answer.entropy = None
    for name in ("confusion", "vcdr_pred", "vcdr_true", "vcdr_sd", "measures_pred"):
        record[name] = None
    card = eye_cards.eye_card(example, answer, record)
    assert "prediction" not in card and "truth" not in card and "heat" not in card
    assert set(card["order"]) == {"glaucoma", "grade_error"}
    section = gallery_section(
        "eyes", (), [card], orders=eye_cards.ORDERS, groups=eye_cards.group_names(),
        layers=eye_cards.LAYERS,
    )  # fmt: skip
    assert list(section.gallery.orders) == ["grade_error", "glaucoma"]
    assert list(section.gallery.groups) == ["grade0"] and section.gallery.layers == {}

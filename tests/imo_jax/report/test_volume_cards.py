import base64
import io

import numpy as np
import pytest
from PIL import Image

from data_pipelines.phantom.eye import eyes_of as phantoms
from imo_jax.predictor.volume_result import Evidence
from imo_jax.report import volume_cards as cards_module
from imo_jax.report.page import inline_json
from imo_jax.report.volume_cards import common_limits, shown_scans, volume_card
from imo_jax.visualisation import colours


def picture(text):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_numbers_to_sort_by_are_errors_worked_by_hand(made_volume_cards):
    normal, wrong, _, glaucoma = made_volume_cards
    assert normal["order"]["class_error"] == 0 and wrong["order"]["class_error"] == 0.8
    assert glaucoma["order"]["class_error"] == pytest.approx(0.1)
    assert normal["order"]["vfi_error"] == 9 and wrong["order"]["md_error"] == 9
    assert "psd_error" not in wrong["order"]  # not measured


def test_groups_and_words(made_volume_cards):
    normal, wrong, _, glaucoma = made_volume_cards
    assert normal["groups"] == ["class0"] and glaucoma["groups"] == ["class1"]
    assert wrong["groups"] == ["class1", "wrong"] and wrong["lines"][0]["wrong"]
    assert "probability of glaucoma 0.20, true class glaucoma" in wrong["says"]
    assert "MD: -3.0 dB, measured -12.0 dB" in wrong["says"]
    assert {"text": "PSD: 2.0 dB"} in wrong["lines"]
    assert {*cards_module.GROUPS} == {"class0", "class1", "wrong"}


def test_the_slider_holds_the_clearest_b_scan_and_ends_from_above(made_volume_cards):
    names = [step["name"] for step in made_volume_cards[3]["steps"]]
    assert "B-scan 4 of 12, probability 0.90" in names and names[-1] == cards_module.ABOVE
    numbers = [int(name.split()[1]) for name in names[:-1]]
    assert numbers == sorted(set(numbers)) and 4 <= len(numbers) <= cards_module.SCANS


def test_maps_are_red_for_glaucoma_and_blue_against_on_one_scale(made_volume_cards):
    normal, glaucoma = picture(made_volume_cards[0]["evidence"]), picture(made_volume_cards[3]["evidence"])
    assert normal.shape == glaucoma.shape == (12, 4, 4)  # a row a B-scan
    assert (normal[..., :3] == colours.AGAINST).all() and (glaucoma[..., :3] == colours.FOR).all()
    opacity = glaucoma[..., 3].mean(axis=1)
    assert opacity.argmax() == 3 and opacity[3] == round(255 * colours.MOST_OPAQUE)
    assert opacity[0] == pytest.approx(opacity[3] / 4, abs=1)


def test_one_scale_of_colours_for_all_volumes(volume_of):
    record, evidence = volume_of(3)
    weak = picture(volume_card(record, evidence, (20.0, 20.0))["evidence"])
    assert 0 < weak[3, 0, 3] < 30
    assert common_limits([evidence.cams, 10 * evidence.cams])[1] == pytest.approx(20.0)


def test_a_network_for_volumes_shows_slices_under_the_map_that_covers_them(volume_of):
    record, evidence = volume_of(3)
    whole = Evidence(evidence.images, evidence.cams[[0, 3, 0]], None)  # three maps of 12 slices
    assert 6 in shown_scans(whole)  # in the middle of the second map
    steps = volume_card(record, whole, (2.0, 2.0))["steps"]
    (strong,) = [step for step in steps if step["name"] == "B-scan 7 of 12"]
    assert picture(strong["evidence"])[0, 0, 3] == round(255 * colours.MOST_OPAQUE)


def test_a_volume_of_one_b_scan(volume_of):
    record, evidence = volume_of(3)
    single = Evidence(evidence.images[:1], evidence.cams[:1], evidence.probabilities[:1])
    assert [s["name"][:13] for s in volume_card(record, single, (1.0, 1.0))["steps"]] == [
        "B-scan 1 of 1", "from above, a",
    ]  # fmt: skip


def test_a_thousand_volumes_stay_small(volume_of):
    record, evidence = volume_of(3)
    volume = phantoms(0, 1)[0].volume(1, 1)  # of 128 pixels and speckled
    shown = Evidence(volume, np.resize(evidence.cams, (len(volume), 7, 7)), np.zeros(len(volume)))
    assert 20e6 < 1000 * len(inline_json(volume_card(record, shown, (1.0, 1.0)))) < 50e6

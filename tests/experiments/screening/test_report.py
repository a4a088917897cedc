"""An evaluation of a small trained run, down to the page that it ends with."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from data_pipelines.load.screening_stores import Images, ScreeningStore
from data_pipelines.manifest import ScreeningVolume
from experiments.screening.prediction import predict_volumes
from experiments.screening.run_eval import circular_class
from imo_jax.report.volume_report import score_text


@pytest.fixture(scope="module")
def page(evaluated):
    return (evaluated / "report.html").read_text()


def cards(page):
    return json.loads(re.search(r'id="cards">(.*?)</script>', page, re.DOTALL)[1])


def test_the_page_holds_every_section(page):
    for anchor in ("scores", "plots", "training", "volumes", "data", "run", "card"):
        assert f'<section id="{anchor}"' in page, anchor
    assert "2D-ResNet-MT on 8 test volumes of 8 eye visits of 4 patients" in page
    assert page.count("<svg") == 6  # ROC, calibration, three indices, learning curves
    assert page.count('class="matrix"') == 2  # at both levels
    for said in ("majority class", "case level: AUC", "sex: f", "no measurement of function"):
        assert said in page, said


def test_each_data_set_is_scored_alone(page, evaluated, small_store):
    summary = json.loads((evaluated / "summary.json").read_text())
    assert {n: s["num_volumes"] for n, s in summary["by_source"].items()} == {"here": 4, "there": 4}
    shares = [s["image_accuracy"]["value"] for s in summary["by_source"].values()]
    assert np.mean(shares) == pytest.approx(summary["image_accuracy"]["value"])
    assert "<th" in page and "on here" in page and "On each data set of the manifest" in page
    assert "on there" in (evaluated / "table.txt").read_text()


def test_a_class_that_is_a_threshold_of_md_is_told():
    def of(mds):
        volumes = [
            ScreeningVolume(f"v{k}", f"p{k}", "OD", "1", "", Path("none"), int(k >= 30), md=md)
            for k, md in enumerate(mds)
        ]
        store = ScreeningStore(None, {"train": volumes[::2], "test": volumes[1::2]}, {}, "threads")
        return circular_class(store)

    falling = [1 - k / 10 for k in range(60)]  # glaucoma from -2 dB on
    assert of(falling).startswith("in all 60 volumes with md the class is md <= -2 dB")
    assert of([*falling[:29], -5.0, *falling[30:]]) is None  # a normal eye that sees worse
    assert of([None, *falling[1:]]) is None  # 29 of a class may be so by chance


def test_what_is_circular_stands_in_the_scores():
    summary = {"chosen_thresholds": None, "by_source": {}, "circular": "all is one"}
    assert score_text(summary)[-1] == "Mind: all is one."
    assert score_text(summary | {"circular": None})[-1].startswith("Intervals")


def test_every_volume_has_a_card_with_its_b_scans(page, small_store):
    made = cards(page)
    assert [card["id"] for card in made] == small_store.ids("test")
    assert all(len(card["steps"]) >= 5 for card in made)
    assert "vfi_error" not in made[3]["order"] and "vfi_error" in made[4]["order"]


def test_nothing_is_fetched(page):
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", page)


def test_maps_of_a_right_eye_shown_as_a_left_one_lie_on_the_image_again(small_store, small_run):
    store, run = small_store, small_run
    plain = predict_volumes(run.variables, store, "test", run.config, keep_seen=True).seen
    assert plain[0].maps.shape[0] == len(plain[0].scans) == 6
    # Right eyes lie mirrored, and are turned for the network: it sees what it saw before.
    eyes = store.eyes("test")
    scans = [np.flip(store.scans("test", i), -1 if eye == "OD" else ()) for i, eye in enumerate(eyes)]
    images = {"scan": {"test": Images(scans, [range(6)] * len(scans))}}
    volumes = {"test": store._volumes["test"]}
    mirrored = ScreeningStore(store.grid, volumes, images, "threads")
    augment = dataclasses.replace(run.config.augment, right_as_left=True)
    config = dataclasses.replace(run.config, augment=augment)
    turned = predict_volumes(run.variables, mirrored, "test", config, keep_seen=True).seen
    for eye, before, after in zip(eyes, plain, turned, strict=True):
        expected = np.flip(before.maps, -1 if eye == "OD" else ())
        np.testing.assert_allclose(after.maps, expected, atol=1e-5)

"""The pages of eyes and volumes in a real browser: Chromium with its driver, `pytest -m browser`."""

import hashlib
import time
import types

import numpy as np
import pytest
from scipy import ndimage

from data_pipelines.phantom.eye import eyes_of
from imo_jax.metrics.imo_eye import score_eye
from imo_jax.report import eye_cards, volume_cards
from imo_jax.report.cards import gallery_section
from imo_jax.report.page import render

pytestmark = pytest.mark.browser

keys = pytest.importorskip("selenium.webdriver").Keys


def written(folder, section):
    path = folder / "report.html"
    path.write_text(render("Report", "subtitle", [section], "made"))
    return path.as_uri()


def section_of_eyes(cards):
    return gallery_section(
        "eyes", ("Text.",), cards, orders=eye_cards.ORDERS, groups=eye_cards.group_names(),
        layers=eye_cards.LAYERS, off=("heat",),
    )  # fmt: skip


@pytest.fixture
def page(open_page, cards, tmp_path):
    return open_page(written(tmp_path, section_of_eyes(cards)))


@pytest.fixture
def volumes(open_page, made_volume_cards, tmp_path):
    section = gallery_section(
        "volumes", (), made_volume_cards, orders=volume_cards.ORDERS, groups=volume_cards.GROUPS,
        layers=volume_cards.LAYERS,
    )  # fmt: skip
    return open_page(written(tmp_path, section))


def test_sorted_by_error_and_by_name(page):
    assert page.cards() == ["eye1", "eye2", "eye0"]
    page.choose("#order", "id")
    assert page.cards() == ["eye0", "eye1", "eye2"]
    assert page.one("#count").text == "3 of 3 eyes"


def test_filtered_by_grade(page):
    page.choose("#group", "grade2")
    assert page.cards() == ["eye2"]
    page.choose("#group", "wrong")
    assert page.cards() == ["eye1"]
    page.choose("#group", "")
    assert len(page.cards()) == 3


@pytest.mark.parametrize("layer", ["prediction", "truth", "heat"])
def test_layers_are_switched(page, layer):
    shown, box = page.all(f"#gallery .layer-{layer}")[0], page.one(f"[data-layer={layer}]")
    was = shown.is_displayed()
    assert was == (layer != "heat") == box.is_selected()
    box.send_keys(" ")  # by the keyboard
    assert shown.is_displayed() != was


def test_the_truth_lies_over_the_prediction(page):
    parts = page.all("[data-id=eye0] svg > *")
    names = [part.get_attribute("class").removeprefix("layer-") for part in parts]
    assert names == ["photo", "heat", "prediction", "truth"]


def test_the_slider_shows_the_steps(page):
    slider = page.one("[data-id=eye0] input[type=range]")
    assert slider.get_attribute("aria-label") == "Denoising step of eye0"
    outline = lambda: page.one("[data-id=eye0] .layer-prediction .cup").get_attribute("d")
    seen = [outline()]
    for _ in range(2):
        slider.send_keys(keys.ARROW_LEFT)
        seen.append(outline())
    assert len(set(seen)) == 3
    assert slider.get_attribute("aria-valuetext") == "step 1 of 2, t = 1.00"


def test_an_eye_is_enlarged_and_closed_by_the_keyboard(page):
    button = page.one("[data-id=eye0] button")
    assert button.get_attribute("aria-label") == "Enlarge eye0"
    page.one("[data-layer=truth]").send_keys(" ")
    button.send_keys(keys.ENTER)
    dialog = page.one("dialog")
    assert dialog.is_displayed() and dialog.get_attribute("aria-label") == "eye0"
    assert dialog.rect["width"] > 500
    assert not page.one("dialog .layer-truth").is_displayed()  # switched off there, too
    assert page.unnamed() == []
    dialog.send_keys(keys.ESCAPE)
    page.wait(lambda: not page.all("dialog"))


def test_all_controls_are_reached_by_the_keyboard_in_order_and_have_names(page):
    assert page.unnamed() == []
    reached = []
    for _ in range(10):
        page.browser.switch_to.active_element.send_keys(keys.TAB)
        element = page.browser.switch_to.active_element
        names = (element.get_attribute(name) for name in ("id", "data-layer", "aria-label"))
        reached.append(next(filter(None, names), element.text))
    assert reached == [
        "Skip to the results", "Eyes", "order", "group", "prediction", "truth", "heat",
        "Enlarge eye1", "Denoising step of eye1", "Enlarge eye2",
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(page, scheme):
    page.media(prefers_color_scheme=scheme)
    colour = page.one("body").value_of_css_property("background-color")
    red = int(colour.partition("(")[2].partition(",")[0])
    assert red < 40 if scheme == "dark" else red > 200


def test_in_print_there_are_no_controls(page):
    page.media(media="print")
    assert not page.one("#controls").is_displayed()
    assert page.all("#gallery .card")[0].is_displayed()


def test_volumes_are_sorted_filtered_and_named(volumes):
    assert volumes.cards() == ["v1", "v3", "v0", "v2"]
    volumes.choose("#order", "vfi_error")
    assert volumes.cards() == ["v1", "v3", "v0", "v2"]
    volumes.choose("#order", "glaucoma")
    assert volumes.cards()[0] == "v3"
    volumes.choose("#group", "class0")
    assert volumes.cards() == ["v0", "v2"]
    assert volumes.one("#count").text == "2 of 2 volumes"
    assert volumes.unnamed() == []


def test_the_slider_of_a_volume_shows_b_scans_with_their_maps(volumes):
    slider = volumes.one("[data-id=v3] input[type=range]")
    assert slider.get_attribute("aria-valuetext") == volume_cards.ABOVE
    picture = lambda layer: volumes.one(f"[data-id=v3] .layer-{layer}").get_attribute("href")
    above = picture("photo"), picture("evidence")
    slider.send_keys(keys.ARROW_LEFT)
    scan = picture("photo"), picture("evidence")
    assert "B-scan" in slider.get_attribute("aria-valuetext")
    assert scan[0] != above[0] and scan[1] != above[1] and scan[1].startswith("data:image/png")
    slider.send_keys(keys.ARROW_RIGHT)
    assert (picture("photo"), picture("evidence")) == above


def test_the_map_of_a_volume_is_switched_off(volumes):
    evidence = volumes.one("[data-id=v3] .layer-evidence")
    assert evidence.is_displayed()
    volumes.one("[data-layer=evidence]").send_keys(" ")
    assert not evidence.is_displayed() and volumes.one("[data-id=v3] .layer-photo").is_displayed()


def many_eyes(number):
    """Cards of so many different eyes: phantoms' photographs of 512 pixels, each turned, mirrored,
    dimmed and with noise of its own, and outlines that waver as a network's do."""
    bases = [eye.photograph()[:2] for eye in eyes_of(0, 20)]
    rng = np.random.default_rng(0)
    for n in range(number):
        photograph, mask = bases[n % len(bases)]
        turns, mirror = (n // len(bases)) % 4, (n // len(bases) // 4) % 2
        photograph, mask = (np.rot90(x, turns)[:, :: 1 - 2 * mirror] for x in (photograph, mask))
        noise = rng.normal(0, 4, (*mask.shape, 1)).astype(np.float32)
        fundus = np.clip(photograph * rng.uniform(0.7, 1.0) + noise, 0, 255).astype(np.uint8)
        small = np.eye(3, dtype=np.float32)[mask[::4, ::4] % 3]
        blurred = ndimage.gaussian_filter(small, (2, 2, 0)) + 0.01
        wavering = blurred * np.exp(
            ndimage.gaussian_filter(rng.normal(0, 3, blurred.shape), (2, 2, 0))
        )
        probabilities = (wavering / wavering.sum(-1, keepdims=True)).astype(np.float32)
        entropy = -(probabilities * np.log(probabilities)).sum(-1).astype(np.float32)
        grades = rng.dirichlet((1, 1, 1))
        record = score_eye(
            f"eye{n:04}", f"p{n // 2}", probabilities=probabilities, mask=mask[::4, ::4],
            grade_probabilities=grades, grade=n % 3,
        )  # fmt: skip
        example = {"fundus": fundus, "mask": mask[::4, ::4], "has_mask": True}
        answer = types.SimpleNamespace(probabilities=probabilities, entropy=entropy)
        card = eye_cards.eye_card(example, answer, record)
        if n < 12:
            steps = eye_cards.step_cards(np.stack([probabilities] * 4), (1, 0.7, 0.4, 0.1), card)
            card["steps"] = steps
        yield card


def test_a_thousand_different_eyes_open_at_once(open_page, tmp_path):
    cards = list(many_eyes(1000))
    for part in ("photo", "heat"):
        assert len({hashlib.sha256(card[part].encode()).digest() for card in cards}) == 1000
    outlines = [card["prediction"]["disc"] + card["prediction"]["cup"] for card in cards]
    assert len(set(outlines)) == 1000
    assert np.mean([len(outline) for outline in outlines]) > 500
    assert np.mean([len(card["photo"]) for card in cards]) > 8000
    address = written(tmp_path, section_of_eyes(cards))
    size = (tmp_path / "report.html").stat().st_size
    assert 10e6 < size < 50e6
    started = time.monotonic()
    page = open_page(address)
    assert page.one("#count").text == "60 of 1000 eyes"
    opened = time.monotonic() - started
    started = time.monotonic()
    page.choose("#order", "vcdr_error")
    sorted_in = time.monotonic() - started
    page.one("#more").send_keys(keys.ENTER)
    assert page.one("#count").text == "120 of 1000 eyes"
    print(f"{size / 1e6:.1f} MB, opened in {opened:.2f} s, sorted in {sorted_in:.2f} s")
    assert opened < 3 and sorted_in < 1

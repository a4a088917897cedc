"""The page in a real browser: Chromium with its driver, `pytest -m browser`."""

import time

import pytest

from experiments.report.cards import gallery_section
from experiments.report.eye_cards import LAYERS, ORDERS, group_names
from experiments.report.page import render

pytestmark = pytest.mark.browser

webdriver = pytest.importorskip("selenium.webdriver")
WebDriverWait = pytest.importorskip("selenium.webdriver.support.wait").WebDriverWait


def written(folder, cards):
    section = gallery_section(
        "eyes", (), cards, orders=ORDERS, groups=group_names(), layers=LAYERS, off=("heat",)
    )
    path = folder / "report.html"
    path.write_text(render("Report", "eyes", [section], "made"))
    return path.as_uri()


@pytest.fixture
def page(browser, cards, tmp_path):
    browser.get_log("browser")
    browser.get(written(tmp_path, cards))
    yield browser
    assert browser.get_log("browser") == []  # no errors, nothing that could not be fetched


def css(page, selector):
    return page.find_elements("css selector", selector)


def order_of_cards(page):
    return [card.get_attribute("data-id") for card in css(page, "#gallery .card")]


def choose(page, selector, value):
    (option,) = css(page, f"{selector} option[value='{value}']")
    option.click()


def test_sorted_by_error_and_by_name(page):
    assert order_of_cards(page) == ["eye1", "eye2", "eye0"]
    choose(page, "#order", "id")
    assert order_of_cards(page) == ["eye0", "eye1", "eye2"]
    assert css(page, "#count")[0].text == "3 of 3 eyes"


def test_filtered_by_grade(page):
    choose(page, "#group", "grade2")
    assert order_of_cards(page) == ["eye2"]
    choose(page, "#group", "wrong")
    assert order_of_cards(page) == ["eye1"]
    choose(page, "#group", "")
    assert len(order_of_cards(page)) == 3


@pytest.mark.parametrize("layer", ["prediction", "truth", "heat"])
def test_layers_are_switched(page, layer):
    shown = css(page, f"#gallery .layer-{layer}")[0]
    (box,) = css(page, f"[data-layer={layer}]")
    was = shown.is_displayed()
    assert was == (layer != "heat") == box.is_selected()
    box.send_keys(" ")  # by the keyboard
    assert shown.is_displayed() != was


def test_the_slider_shows_the_steps(page):
    card = css(page, "[data-id=eye0]")[0]
    slider = card.find_element("css selector", "input[type=range]")
    assert slider.get_attribute("aria-label") == "Denoising step of eye0"
    outline = lambda: card.find_element(  # noqa: E731
        "css selector", ".layer-prediction .cup"
    ).get_attribute("d")
    seen = [outline()]
    for _ in range(2):
        slider.send_keys(webdriver.Keys.ARROW_LEFT)
        seen.append(outline())
    assert len(set(seen)) == 3
    assert slider.get_attribute("aria-valuetext") == "step 1 of 2, t = 1.00"


def test_an_eye_is_enlarged_and_closed_by_the_keyboard(page):
    button = css(page, "[data-id=eye0] button")[0]
    assert button.get_attribute("aria-label") == "Enlarge eye0"
    button.send_keys(webdriver.Keys.ENTER)
    (dialog,) = css(page, "dialog")
    assert dialog.is_displayed() and dialog.get_attribute("aria-label") == "eye0"
    assert dialog.rect["width"] > 500
    dialog.send_keys(webdriver.Keys.ESCAPE)
    WebDriverWait(page, 5).until(lambda page: not css(page, "dialog"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(page, scheme):
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    colour = css(page, "body")[0].value_of_css_property("background-color")
    red = int(colour.partition("(")[2].partition(",")[0])
    assert red < 40 if scheme == "dark" else red > 200


def test_in_print_there_are_no_controls(page):
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not css(page, "#controls")[0].is_displayed()
    assert css(page, "#gallery .card")[0].is_displayed()
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "screen"})


def test_a_thousand_eyes_open_at_once(browser, card_of, tmp_path):
    some = [card_of(n, n % 5) for n in range(10)]
    many = [some[n % 10] | {"id": f"eye{n}"} for n in range(1000)]
    address = written(tmp_path, many)
    assert (tmp_path / "report.html").stat().st_size < 50e6
    started = time.monotonic()
    browser.get(address)
    assert css(browser, "#count")[0].text == "60 of 1000 eyes"
    assert time.monotonic() - started < 3
    css(browser, "#more")[0].click()
    assert css(browser, "#count")[0].text == "120 of 1000 eyes"

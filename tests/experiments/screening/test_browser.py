"""The report of a screening evaluation in a real browser, `pytest -m browser`."""

import pytest

pytestmark = pytest.mark.browser

keys = pytest.importorskip("selenium.webdriver").Keys


@pytest.fixture
def page(open_page, evaluated):
    return open_page((evaluated / "report.html").as_uri())


def test_every_part_is_there_and_has_a_name(page, small_store):
    assert page.unnamed() == []
    assert len(page.cards()) == small_store.num("test")
    assert all(chart.rect["height"] > 100 for chart in page.all("svg.chart"))
    assert len(page.all(".matrix")) == 2


def test_links_lead_to_their_sections(page):
    for link in page.all("nav a"):
        link.send_keys(keys.ENTER)
        anchor = link.get_attribute("href").partition("#")[2]
        assert abs(page.one(f"#{anchor}").rect["y"] - page.browser.execute_script("return scrollY")) < 2 or (
            page.browser.execute_script(
                "return innerHeight + Math.ceil(scrollY) >= document.body.scrollHeight"
            )
        )


def test_sorted_by_the_error_of_an_index_and_filtered_by_class(page, small_store):
    page.choose("#order", "vfi_error")
    assert page.cards()[-1] == "test3"  # not measured: last
    page.choose("#group", "class1")
    glaucoma = small_store.glaucoma("test").sum()
    assert page.one("#count").text == f"{glaucoma} of {glaucoma} volumes"


def test_the_slider_moves_in_the_enlarged_volume(page):
    page.all("#gallery button.view")[0].send_keys(keys.ENTER)
    slider = page.one("dialog input[type=range]")
    before = page.one("dialog .layer-photo").get_attribute("href")
    slider.send_keys(keys.ARROW_LEFT)
    assert page.one("dialog .layer-photo").get_attribute("href") != before
    page.one("dialog .close").send_keys(keys.ENTER)
    page.wait(lambda: not page.all("dialog"))


def test_the_page_prints(page):
    page.media(media="print")
    assert not page.one("#controls").is_displayed() and not page.one("nav").is_displayed()
    pdf = page.browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(pdf["data"]) > 50_000

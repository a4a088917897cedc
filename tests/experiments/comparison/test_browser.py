"""The page of a table in a real browser, `pytest -m browser`."""

import pytest

from experiments import tables
from experiments.comparison.settings import Study

pytestmark = pytest.mark.browser

keys = pytest.importorskip("selenium.webdriver").Keys


@pytest.fixture
def table(open_page, fake, tmp_path):
    """(number, rows) -> the page of a table that was filled without a training."""

    def opened(number, *rows):
        study = Study(tmp_path, ("m.csv",), rates=(1e-3,), extra=("--bootstrap=30",))
        assert tables.run_table(study, number, rows) == 0
        return open_page((tmp_path / f"table{number}" / "report.html").as_uri())

    return opened


@pytest.fixture
def page(table):
    return table(3, "imo_without_grading", "imo_without_oct", "imo")


def test_every_part_is_there_and_has_a_name(page):
    assert page.unnamed() == []
    assert len(page.cards()) == 8
    assert all(chart.rect["height"] > 60 for chart in page.all("svg.chart"))


def test_outlines_of_each_row_are_switched_by_themselves(page):
    shown = lambda row: page.all(f"#gallery .layer-{row}")[0].is_displayed()
    assert shown("imo") and shown("imo_without_oct") and shown("truth")
    page.one("[data-layer=imo_without_oct]").send_keys(" ")
    assert shown("imo") and not shown("imo_without_oct") and shown("truth")
    page.all("#gallery button.view")[0].send_keys(keys.ENTER)
    assert not page.one("dialog .layer-imo_without_oct").is_displayed()


def test_the_colours_of_the_controls_are_those_of_the_outlines(page):
    colours = set()
    for row in ("imo", "imo_without_oct", "imo_without_grading"):
        swatch = page.one(f"label:has([data-layer={row}]) .swatch")
        colour = swatch.value_of_css_property("background-color")
        line = page.all(f"#gallery .layer-{row} .disc")[0].value_of_css_property("stroke")
        assert colour.replace("rgba", "rgb").replace(", 1)", ")") == line
        colours.add(line)
    assert len(colours) == 3


def test_eyes_are_sorted_by_disagreement_and_by_a_rows_error(table):
    page = table(1, "unetpp", "segformer", "imo")
    by_disagreement = page.cards()
    page.choose("#order", "unetpp_shape_error")
    by_error = page.cards()
    page.choose("#order", "id")
    by_name = page.cards()
    assert sorted(by_disagreement) == sorted(by_error) == sorted(by_name)
    assert len({tuple(by_disagreement), tuple(by_error), tuple(by_name)}) == 3


def test_eyes_of_one_grade(page):
    page.choose("#group", "grade2")
    assert page.cards() and all(int(name.removeprefix("fold0-eye")) % 3 == 2 for name in page.cards())

import html.parser
import re

import pytest

from imo_jax.report.page import Figure, Gallery, Section, Table, inline_json, render


class Tags(html.parser.HTMLParser):
    """Collects tags with their attributes, and whether they are closed in order."""

    VOID = {"meta", "link", "input", "br"}

    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(cards):
    gallery = Gallery(cards, {"shape_error": "error"}, {"wrong": "wrong"}, {"truth": "truth"})
    return render(
        "Title <b>",
        "sub",
        [
            Section("a", "Scores", ["5 < 6 & so on"], Table(("x", "y"), [("r", "<script>")])),
            Section("b", "Empty"),
            Section("c", "Plots", figures=[Figure("<svg></svg>", "caption")], notes={"n": "text"}),
            Section("d", "Eyes", gallery=gallery),
        ],
        "made",
    )


def test_it_is_well_formed_and_its_anchors_lead_somewhere(page):
    tags = Tags(page)
    assert not tags.open
    ids = {attributes["id"] for _, attributes in tags.found if "id" in attributes}
    targets = {a["href"][1:] for t, a in tags.found if t == "a" and a["href"].startswith("#")}
    assert targets <= ids and {"a", "c", "d", "main"} <= targets
    assert "b" not in ids  # nothing to show


def test_text_is_escaped(page):
    assert "Title &lt;b&gt;" in page and "5 &lt; 6 &amp; so on" in page
    assert "<td>&lt;script&gt;</td>" in page


def test_nothing_is_fetched(page):
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", page)
    assert not re.findall(r"url\(|@import|fetch\(|XMLHttpRequest", page)
    assert set(re.findall(r"https?://[^\s\"']+", page)) == {"http://www.w3.org/2000/svg"}


def test_controls_have_names(page):
    tags = Tags(page)
    assert ("output", {"id": "count", "aria-live": "polite"}) in tags.found
    assert page.count("<label>") == 3  # order, group and one layer


def test_json_cannot_end_its_script():
    text = inline_json({"id": "</script><script>alert(1)</script>"})
    assert "<" not in text
    with pytest.raises(ValueError):
        inline_json({"value": float("nan")})


def test_a_thousand_eyes_stay_small(card_of):
    text = inline_json([card_of(n, n % 7) for n in range(20)])
    assert len(text) * 1000 / 20 < 50e6

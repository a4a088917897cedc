"""The page: sections of text, tables, charts and eyes, put into one HTML file."""

import dataclasses
import importlib.resources
import json
from collections.abc import Sequence
from typing import Any

import jinja2

TEMPLATES = importlib.resources.files("imo_jax.report") / "page"


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
      columns: their names; () = none are shown.
      rows: the first text of each names it.
      kind: "numbers", set to the right, to be compared; "lead", numbers, of which the first column
        is what the table is about; or "words", set to the left.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    kind: str = "numbers"


@dataclasses.dataclass(frozen=True)
class Figure:
    """A chart or picture (HTML that this package made) with the words below it."""

    drawing: str
    caption: str


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the page under a heading; what it lacks is not shown.

    Attributes:
      key: its anchor.
      title: its heading.
      text: paragraphs before all else.
      table: under the text.
      figures: side by side under the table.
      notes: what is folded away: heading -> text.
      gallery: see `Gallery`.
    """

    key: str
    title: str
    text: Sequence[str] = ()
    table: Table | None = None
    figures: Sequence[Figure] = ()
    notes: dict[str, str] = dataclasses.field(default_factory=dict)
    gallery: "Gallery | None" = None


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Cards that are sorted, filtered and switched by the page's script.

    Attributes:
      cards: ready for JSON, see `eye_cards` and `volume_cards`.
      orders: key of a card -> how people call it: what the cards can be sorted by, greatest first.
      groups: what they can be filtered by: one of a card's `groups` -> name.
      layers: what can be switched on and off: key of a card -> name, lowest first.
      noun: what a card shows, in the plural.
      colours: of outlines, where disc and cup are not to have their own: layer -> colour of CSS.
      off: layers that are not shown at first.
    """

    cards: Sequence[dict[str, Any]]
    orders: dict[str, str]
    groups: dict[str, str]
    layers: dict[str, str]
    noun: str = "eyes"
    colours: dict[str, str] = dataclasses.field(default_factory=dict)
    off: Sequence[str] = ()


def render(title: str, subtitle: str, sections: Sequence[Section], made: str) -> str:
    """The HTML of a page that needs nothing but itself: no other file and no network.

    Args:
      title, subtitle: at the top.
      sections: in order; an empty one is left out.
      made: by what and when, at the bottom.
    """
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["inline_json"] = inline_json
    template = environment.from_string(_file("report.html"))
    return template.render(
        title=title, subtitle=subtitle, sections=[s for s in sections if _holds_something(s)],
        made=made, style=_file("report.css"), script=_file("report.js"),
    )  # fmt: skip


def inline_json(value: Any) -> str:
    """JSON that may stand in a script element: nothing in it can end the element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _holds_something(section: Section) -> bool:
    return bool(
        section.text or section.table or section.figures or section.notes or section.gallery
    )


def _file(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")

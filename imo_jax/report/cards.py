"""What the cards of all galleries have in common: pictures as text, and the gallery around them."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from imo_jax.report.page import Gallery, Section


def jpeg(pixels: np.ndarray, quality: int) -> str:
    """(H, W, 3) or (H, W) uint8 -> JPEG in base64."""
    return _encoded(pixels, "JPEG", quality=quality)


def png(pixels: np.ndarray) -> str:
    """(H, W, 4) uint8, the last channel opacity -> PNG in base64."""
    return _encoded(pixels, "PNG")


def _encoded(pixels: np.ndarray, kind: str, **settings: int) -> str:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, kind, optimize=True, **settings)
    return base64.b64encode(data.getvalue()).decode("ascii")


def gallery_section(
    key: str,
    text: Sequence[str],
    cards: Sequence[dict[str, Any]],
    *,
    orders: dict[str, str],
    groups: dict[str, str],
    layers: dict[str, str],
    colours: dict[str, str] | None = None,
    off: Sequence[str] = (),
) -> Section:
    """The gallery of some cards, with the controls that any of them has a use for.

    Args:
      key: anchor of the section, and what a card shows, in the plural: "eyes".
      text: over the cards.
      cards: ready for JSON, see `Gallery`; without any the section is empty, and is not shown.
      orders: number of a card's `order` -> its name.
      groups: of a card's `groups` -> name.
      layers: key of a card -> name.
      colours, off: see `Gallery`.
    """
    if not cards:
        return Section(key, key.capitalize())
    shown = Gallery(
        cards,
        {name: said for name, said in orders.items() if any(name in c["order"] for c in cards)},
        {name: said for name, said in groups.items() if any(name in c["groups"] for c in cards)},
        {name: said for name, said in layers.items() if any(name in c for c in cards)},
        key,
        colours or {},
        off,
    )
    return Section(key, key.capitalize(), text, gallery=shown)

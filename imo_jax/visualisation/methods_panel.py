"""The same eyes by several methods side by side, zoomed at the disc (as the paper's Fig. 2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from imo_jax.labels import CUP, RIM
from imo_jax.visualisation import colours, tiles
from imo_jax.visualisation.outlines import draw_regions


@dataclass(frozen=True)
class View:
    """What one method, or the truth, says of an eye.

    Attributes:
      ids: (h, w) ids 0 background, 1 rim, 2 cup, 255 = ignore; None: nothing was segmented.
      lines: short lines of text, written over the tile.
    """

    ids: np.ndarray | None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class ComparedEye:
    """An eye, its truth and what is said of it.

    Attributes:
      name: of the eye.
      photograph: (H, W, 3) uint8.
      truth: labels; its ids may be of another resolution, of the same field.
      methods: method -> its view; the same methods for all eyes of a panel.
    """

    name: str
    photograph: np.ndarray
    truth: View
    methods: Mapping[str, View]


def methods_panel(eyes: Sequence[ComparedEye], *, title: str, tile: int = 200) -> np.ndarray:
    """A row an eye: the disc, the truth, and each method's outlines with the truth dotted.

    All tiles of a row show the same square around the true disc; where it is unknown around the
    first method's disc, else the middle of the photograph.

    Args:
      eyes: at least one.
      title: one line.
      tile: side of a tile in pixels.

    Returns:
      (height, width, 3) uint8.
    """
    rows = []
    for eye in eyes:
        box = shown_box(eye)
        zoom = tiles.cut(eye.photograph, box, (tile, tile))
        row = [zoom, _view_tile(zoom, eye.truth, None, box)]
        row += [_view_tile(zoom, view, eye.truth.ids, box) for view in eye.methods.values()]
        rows.append(row)
    return tiles.sheet(
        rows,
        title=title,
        captions=["photograph", "truth", *eyes[0].methods],
        row_names=[eye.name for eye in eyes],
        legend=[*colours.OUTLINES.items(), ("truth (dotted)", colours.TRUTH)],
    )


def shown_box(eye: ComparedEye) -> tiles.Box:
    """The square that all views of an eye show: around the true disc, else the first one found."""
    for view in (eye.truth, *eye.methods.values()):
        if view.ids is not None and (disc := _disc(view.ids)).any():
            return tiles.square_around(disc)
    return tiles.square_around(np.zeros(eye.photograph.shape[:2], bool))


def _disc(ids: np.ndarray) -> np.ndarray:
    return (ids == RIM) | (ids == CUP)


def _view_tile(
    zoom: np.ndarray, view: View, truth: np.ndarray | None, box: tiles.Box
) -> np.ndarray:
    """The zoomed photograph with outlines of a view, the truth dotted over them, and its text."""
    shown = zoom
    if view.ids is not None:
        shown = draw_regions(shown, view.ids, box)
        if truth is not None:
            shown = draw_regions(shown, truth, box, width=1.2, colour=colours.TRUTH, dotted=True)
    return _written(shown, view.lines) if view.lines else shown


def _written(tile: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """Text at the lower edge, on a darkened strip, so that it is read on any photograph."""
    size = max(tile.shape[0] // 16, 11)
    height = len(lines) * (size + 3) + 5
    dark = tile.copy()
    dark[-height:] = dark[-height:] // 3
    image = Image.fromarray(dark)
    draw = ImageDraw.Draw(image)
    for k, line in enumerate(lines):
        place = (5, tile.shape[0] - height + 3 + k * (size + 3))
        draw.text(place, line, colours.TEXT, tiles.font(size))
    return np.asarray(image)

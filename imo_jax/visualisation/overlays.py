"""The panel of one eye: photograph, truth, prediction and uncertainty, zoomed at the disc."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from imo_jax.labels import CLASS_NAMES, CUP, RIM
from imo_jax.metrics.disc_measures import NAMES_BY_SIDE, Side, areas_in_words
from imo_jax.metrics.imo_eye import EyeRecord
from imo_jax.visualisation import colours, tiles
from imo_jax.visualisation.outlines import draw_regions

MOST_UNCERTAIN = math.log(len(CLASS_NAMES))  # nats: the entropy of three equal probabilities


def eye_panel(
    photograph: np.ndarray,
    predicted: np.ndarray,
    *,
    title: str,
    mask: np.ndarray | None = None,
    uncertainty: np.ndarray | None = None,
    uncertainty_limit: float = MOST_UNCERTAIN,
    eye: Side | None = None,
    view: str = "photograph",
    tile: int = 320,
) -> np.ndarray:
    """A row of tiles: whole photograph, disc, truth (if known), prediction, uncertainty (if given).

    The zoom is at the true disc, else at the predicted one; where it is stands in the first tile,
    with the whole prediction, so that nothing predicted elsewhere goes unseen.

    Args:
      photograph: (H, W, 3) uint8.
      predicted: (h, w) ids 0 background, 1 rim, 2 cup.
      title: see `eye_title`.
      mask: (h, w) true ids, 255 = ignore, or None.
      uncertainty: (h, w) float, or None.
      uncertainty_limit: value of the brightest colour; ln 3 suits entropies in nats.
      eye: its side, by which the tile of the disc names the temporal and the nasal side.
      view: what `photograph` is, for the first tile's caption: a part of a photograph has a name of its own.
      tile: side of a tile in pixels.
      All images show the same field; their resolutions may differ.

    Returns:
      (height, width, 3) uint8.
    """
    seen = predicted if mask is None or not _disc(mask).any() else mask
    box = tiles.square_around(_disc(seen))
    zoom = tiles.cut(photograph, box, (tile, tile))
    row = [_whole(photograph, predicted, box, tile), zoom if eye is None else _with_sides(zoom, eye)]
    captions = [view, "disc"]
    shown = draw_regions(zoom, predicted, box)
    if mask is not None:
        row.append(draw_regions(zoom, mask, box))
        captions.append("truth")
        shown = draw_regions(shown, mask, box, width=1.2, colour=colours.TRUTH, dotted=True)
    row.append(shown)
    captions.append("prediction" if mask is None else "prediction (dotted: truth)")
    if uncertainty is not None:
        row.append(_heat_tile(uncertainty, predicted, box, uncertainty_limit, tile))
        captions.append("uncertainty")
    legend = list(colours.OUTLINES.items())
    return tiles.sheet([row], title=title, captions=captions, legend=legend)


def answer_panel(
    photograph: np.ndarray,
    answer: Any,
    record: EyeRecord,
    *,
    cdr_range: tuple[float, float] | None = None,
    mask: np.ndarray | None = None,
    eye: Side | None = None,
    view: str = "photograph",
    warnings: Sequence[str] = (),
) -> np.ndarray:
    """The panel of what a network says of an eye, with its numbers above and doubts below.

    Args:
      photograph, mask, eye, view: as `eye_panel`.
      answer: EyeAnswer with `probabilities` (h, w, 3).
      record, cdr_range: as `eye_title`.
      warnings: doubts about the eye, in words.

    Returns:
      (height, width, 3) uint8.
    """
    panel = eye_panel(
        photograph,
        answer.probabilities.argmax(axis=-1),
        title=eye_title(record, cdr_range),
        mask=mask,
        uncertainty=answer.entropy,
        eye=eye,
        view=view,
    )
    return tiles.with_notes(panel, warnings)


def _with_sides(picture: np.ndarray, eye: Side) -> np.ndarray:
    """A tile with the words temporal and nasal in its lower corners, where they are in that eye."""
    drawn = Image.fromarray(picture)
    draw, size = ImageDraw.Draw(drawn), len(picture)
    style = {"font": tiles.font(max(size // 20, 10)), "stroke_width": 1, "stroke_fill": "black"}
    for side, (x, anchor) in {"left": (4, "ld"), "right": (size - 4, "rd")}.items():
        draw.text((x, size - 4), NAMES_BY_SIDE[eye][side], "white", anchor=anchor, **style)
    return np.asarray(drawn)


def eye_title(record: EyeRecord, cdr_range: tuple[float, float] | None = None) -> str:
    """One line: id, grade true and predicted (with its probability), vertical CDR likewise, areas.

    Args:
      record: from `imo_eye.score_eye`; what it does not know is left out.
      cdr_range: interval that holds the true vertical CDR, where one was measured. (The spread
        over samples is not shown: it says nothing of the error.)
    """
    parts = [str(record["id"])]
    probabilities, grade = record["grade_probabilities"], record["grade"]
    names = record["grade_names"]
    said = [] if grade is None else [f"true {names[grade]}"]
    if probabilities is not None:
        best = int(np.argmax(probabilities))
        said.append(f"predicted {names[best]} ({100 * probabilities[best]:.0f} %)")
    if said:
        parts.append("grade: " + ", ".join(said))
    said = [] if not _known(record["vcdr_true"]) else [f"true {record['vcdr_true']:.2f}"]
    if record["vcdr_pred"] is not None:
        ratio = ratio_in_words(record["vcdr_pred"], cdr_range)
        said.append(f"predicted {ratio}" if ratio else "no disc found")
    if said:
        parts.append("vertical CDR: " + ", ".join(said))
    if record["measures_pred"] is not None and (areas := areas_in_words(record["measures_pred"])):
        parts.append(f"area: {areas}")
    return "   ·   ".join(parts)


def ratio_in_words(value: float, between: tuple[float, float] | None) -> str:
    """A predicted ratio and the interval that holds the true one; '' of NaN: no disc was found."""
    if not _known(value):
        return ""
    return f"{value:.2f}" + ("" if between is None else " ({:.2f} to {:.2f})".format(*between))


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _disc(ids: np.ndarray) -> np.ndarray:
    return (ids == RIM) | (ids == CUP)


def _whole(photograph: np.ndarray, predicted: np.ndarray, box: tiles.Box, size: int) -> np.ndarray:
    """The letterboxed photograph with the prediction's outline and the frame of the zoom."""
    tile, part = tiles.letterbox(photograph, size)
    left, top, right, bottom = (round(edge * size) for edge in part)
    inner = tile[top:bottom, left:right]
    tile[top:bottom, left:right] = draw_regions(inner, predicted, tiles.WHOLE, width=1.0)
    image = Image.fromarray(tile)
    x = [left + box[i] * (right - left) for i in (0, 2)]
    y = [top + box[i] * (bottom - top) for i in (1, 3)]
    ImageDraw.Draw(image).rectangle((x[0], y[0], x[1] - 1, y[1] - 1), outline=colours.FRAME)
    return np.asarray(image)


def _heat_tile(
    uncertainty: np.ndarray, predicted: np.ndarray, box: tiles.Box, limit: float, size: int
) -> np.ndarray:
    """The heat map with the prediction's outline, and a scale of its colours at the right."""
    values = tiles.cut(uncertainty.astype(np.float32), box, (size, size)) / limit
    tile = draw_regions(colours.heat(values), predicted, box, width=1.0)
    bar, text = max(size // 40, 6), max(size // 26, 10)
    scale = np.linspace(1.0, 0.0, size // 2)[:, None].repeat(bar, axis=1)
    image = Image.fromarray(tile)
    place = (size - bar - tiles.GAP, size // 4)
    image.paste(Image.fromarray(colours.heat(scale)), place)
    draw = ImageDraw.Draw(image)
    edges = (place[0] - 1, place[1] - 1, place[0] + bar, place[1] + size // 2)
    draw.rectangle(edges, outline=colours.FAINT)
    for value, y, anchor in ((limit, place[1], "rt"), (0.0, place[1] + size // 2, "rb")):
        draw.text((place[0] - 4, y), f"{value:.3g}", colours.TEXT, tiles.font(text), anchor=anchor)
    return np.asarray(image)

"""Square tiles with captions, and the sheet that they are put together on."""

import functools
import math
import pathlib
import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from imo_jax.visualisation import colours

# Left, top, right, bottom as fractions of an image's width and height.
Box = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
GAP = 8  # pixels between tiles


@functools.cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along on every system."""
    import matplotlib

    path = pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)


def square_around(mask: np.ndarray, margin: float = 0.5) -> Box:
    """A square that holds `mask` with `margin` times its larger side around it.

    Args:
      mask: (H, W) bool; where it is empty the largest centred square is taken.
      margin: share of the larger side that is added on each side.

    Returns:
      The box as fractions, within the image (moved or shrunk where it would stick out).
    """
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        side, centre = min(height, width), (height / 2, width / 2)
    else:
        spans = (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1)
        side = min((1 + 2 * margin) * max(spans), height, width)
        centre = ((rows[0] + rows[-1] + 1) / 2, (columns[0] + columns[-1] + 1) / 2)
    top = min(max(centre[0] - side / 2, 0), height - side)
    left = min(max(centre[1] - side / 2, 0), width - side)
    return left / width, top / height, (left + side) / width, (top + side) / height


def narrow(array: np.ndarray, box: Box) -> tuple[np.ndarray, Box]:
    """The part of an image (a view) that holds the box and a border, and the box in that part.

    What is outside is neither copied nor computed, which matters for photographs of 6 million
    pixels.
    """
    height, width = array.shape[:2]
    border = 2  # pixels that antialiasing may look at
    left, top = (
        max(math.floor(f * n) - border, 0) for f, n in zip(box[:2], (width, height), strict=True)
    )
    right, bottom = (
        min(math.ceil(f * n) + border, n) for f, n in zip(box[2:], (width, height), strict=True)
    )
    part = array[top:bottom, left:right]
    x = [(f * width - left) / (right - left) for f in (box[0], box[2])]
    y = [(f * height - top) / (bottom - top) for f in (box[1], box[3])]
    return part, (x[0], y[0], x[1], y[1])


def cut(array: np.ndarray, box: Box, size: tuple[int, int]) -> np.ndarray:
    """The box of an image, resized with antialiasing in one go.

    Args:
      array: (H, W) or (H, W, 3) uint8, or (H, W) float32 (kept float).
      box: fractions, so images of different resolution are cut alike.
      size: (width, height) of the result.
    """
    array, box = narrow(array, box)
    height, width = array.shape[:2]
    pixels = (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
    image = Image.fromarray(np.ascontiguousarray(array))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, pixels, reducing_gap=2.0))


def letterbox(photograph: np.ndarray, size: int) -> tuple[np.ndarray, Box]:
    """The whole photograph within a (size, size, 3) tile, and the part of the tile it takes."""
    height, width = photograph.shape[:2]
    scale = size / max(height, width)
    inner = max(round(width * scale), 1), max(round(height * scale), 1)
    left, top = (size - inner[0]) // 2, (size - inner[1]) // 2
    tile = np.zeros((size, size, 3), np.uint8)
    tile[top : top + inner[1], left : left + inner[0]] = cut(photograph, WHOLE, inner)
    part = (left, top, left + inner[0], top + inner[1])
    return tile, tuple(edge / size for edge in part)


def sheet(
    rows: Sequence[Sequence[np.ndarray]],
    *,
    title: str,
    captions: Sequence[str],
    row_names: Sequence[str] = (),
    legend: Sequence[tuple[str, colours.Colour]] = (),
) -> np.ndarray:
    """Tiles in rows under a title, with a caption over each column and a legend below.

    Args:
      rows: rows of (S, S, 3) uint8 tiles of one size S, all rows of one length.
      title: one line; shrunk to fit.
      captions: one a column.
      row_names: one a row, over its first tile's place at the left; none by default.
      legend: text and colour of its swatch; a row of them under the tiles.

    Returns:
      (height, width, 3) uint8.
    """
    size = rows[0][0].shape[0]
    text, title_text = max(size // 18, 12), max(size // 14, 14)
    margin = 0
    if row_names:
        margin = GAP + max(int(font(text).getlength(name)) for name in row_names)
    head, foot = title_text + text + 4 * GAP, (text + 2 * GAP if legend else GAP)
    width = margin + GAP + len(captions) * (size + GAP)
    page = Image.new("RGB", (width, head + len(rows) * (size + GAP) + foot), colours.PAPER)
    draw = ImageDraw.Draw(page)
    while title_text > 9 and font(title_text).getlength(title) > width - 2 * GAP:
        title_text -= 1
    draw.text((GAP, GAP), title, colours.TEXT, font(title_text))
    for r, row in enumerate(rows):
        top = head + r * (size + GAP)
        if row_names:
            place = (GAP, top + size // 2)
            draw.text(place, row_names[r], colours.FAINT, font(text), anchor="lm")
        for c, tile in enumerate(row):
            page.paste(Image.fromarray(tile), (margin + GAP + c * (size + GAP), top))
    for c, caption in enumerate(captions):
        place = (margin + GAP + c * (size + GAP), head - GAP // 2)
        draw.text(place, caption, colours.FAINT, font(text), anchor="ls")
    _draw_legend(draw, legend, (margin + GAP, page.height - foot + text // 2 + GAP // 2), text)
    return np.asarray(page)


def _draw_legend(
    draw: ImageDraw.ImageDraw,
    legend: Sequence[tuple[str, colours.Colour]],
    place: tuple[int, int],
    text: int,
) -> None:
    x, y = place
    for name, colour in legend:
        draw.rectangle((x, y - 2, x + 2 * text, y + 2), colour)
        draw.text((x + 2 * text + GAP, y), name, colours.TEXT, font(text), anchor="lm")
        x += 2 * text + 4 * GAP + int(font(text).getlength(name))


def with_notes(page: np.ndarray, notes: Sequence[str]) -> np.ndarray:
    """A page with lines of warning below it, wrapped to its width; the page where there are none.

    Args:
      page: (H, W, 3) uint8.
      notes: texts of any length.

    Returns:
      (height, W, 3) uint8.
    """
    if not notes:
        return page
    width, text = page.shape[1], 14
    characters = max(int((width - 2 * GAP) / font(text).getlength("n")), 10)
    lines = [line for note in notes for line in textwrap.wrap(f"! {note}", characters)]
    height = 2 * GAP + len(lines) * (text + GAP // 2)
    strip = Image.new("RGB", (width, height), colours.PAPER)
    ImageDraw.Draw(strip).multiline_text(
        (GAP, GAP), "\n".join(lines), colours.WARNING, font(text), spacing=GAP // 2
    )
    return np.concatenate([page, np.asarray(strip)])

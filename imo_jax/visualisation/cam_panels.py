"""Class activation maps over B-scans, and over a whole volume as seen from above."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from imo_jax.cam import en_face
from imo_jax.visualisation import colours, tiles

STRONGEST = 99.5  # percentile of |evidence| that gets the full colour


@dataclass(frozen=True)
class ScanRow:
    """B-scans to be shown side by side, such as those of one class.

    Attributes:
      name: of the row.
      scans: (n, H, W) uint8, depth downwards.
      cams: (n, h, w) float, signed, in units of the logit.
      probabilities: (n,) of glaucoma, written on the maps.
    """

    name: str
    scans: np.ndarray
    cams: np.ndarray
    probabilities: np.ndarray


def evidence_limit(cams: Sequence[np.ndarray]) -> float:
    """The evidence that gets the full colour, one for all maps that are to be compared."""
    sizes = np.concatenate([np.abs(cam).reshape(-1) for cam in cams])
    return max(float(np.percentile(sizes, STRONGEST)), 1e-6)


def cam_overlay(image: np.ndarray, cam: np.ndarray, limit: float, size: int) -> np.ndarray:
    """A grey image with its signed map over it: red for glaucoma, blue against.

    Args:
      image: (H, W) uint8.
      cam: (h, w) float of the same field, resized linearly.
      limit: |evidence| of the full colour.
      size: side of the square result; the image is squeezed into it.

    Returns:
      (size, size, 3) uint8.
    """
    grey = tiles.cut(image, tiles.WHOLE, (size, size))
    values = tiles.cut(cam.astype(np.float32), tiles.WHOLE, (size, size))
    return colours.blend_evidence(grey, values / limit)


def scan_panel(rows: Sequence[ScanRow], *, title: str, tile: int = 220) -> np.ndarray:
    """Two lines of tiles a row: B-scans, and below them their maps (SEMT, figure 2).

    All maps share one scale, so that those of normal eyes are as faint as their evidence is weak.

    Args:
      rows: with equally many B-scans each.
      title: one line.
      tile: side of a tile in pixels.

    Returns:
      (height, width, 3) uint8.
    """
    limit = evidence_limit([row.cams for row in rows])
    lines, names = [], []
    for row in rows:
        lines.append([_grey_tile(scan, tile) for scan in row.scans])
        lines.append(
            [
                _written(cam_overlay(scan, cam, limit, tile), f"P(glaucoma) {probability:.2f}")
                for scan, cam, probability in zip(
                    row.scans, row.cams, row.probabilities, strict=True
                )
            ]
        )
        names += [row.name, "evidence"]
    page = tiles.sheet(lines, title=title, captions=[""] * len(lines[0]), row_names=names)
    return _with_scale(page, limit)


def volume_panel(volume: np.ndarray, cam: np.ndarray, *, title: str, tile: int = 320) -> np.ndarray:
    """A volume from above: mean over depth, and the mean over depth of its maps upon it.

    Args:
      volume: (n, H, W) uint8 B-scans in order.
      cam: (n', h, w) float, of these B-scans or every so many of them.
      title: one line.
      tile: side of a tile in pixels.

    Returns:
      (height, width, 3) uint8.
    """
    above = seen_from_above(volume)
    evidence = np.asarray(en_face(cam))
    limit = evidence_limit([evidence])
    faint = (0.6 * above).astype(np.uint8)  # colours are lost on a bright image
    row = [_grey_tile(above, tile), cam_overlay(faint, evidence, limit, tile)]
    captions = ["en face, a row a B-scan", "class activation map"]
    return _with_scale(tiles.sheet([row], title=title, captions=captions), limit)


def seen_from_above(volume: np.ndarray) -> np.ndarray:
    """(n, H, W) uint8 B-scans -> (n, W) uint8, stretched from its darkest to its brightest hundredth."""
    values = np.asarray(en_face(volume.astype(np.float32)))
    low, high = np.percentile(values, [1.0, 99.0])
    unit = np.clip((values - low) / max(high - low, 1e-6), 0.0, 1.0)
    return np.rint(255.0 * unit).astype(np.uint8)


def _grey_tile(image: np.ndarray, size: int) -> np.ndarray:
    """(H, W) uint8 -> (size, size, 3)."""
    return np.stack([tiles.cut(image, tiles.WHOLE, (size, size))] * 3, axis=-1)


def _written(tile: np.ndarray, text: str) -> np.ndarray:
    """`tile` with a line at its lower left, dark-edged."""
    image = Image.fromarray(tile)
    size = max(len(tile) // 18, 11)
    place = (tiles.GAP // 2, len(tile) - tiles.GAP // 2)
    ImageDraw.Draw(image).text(
        place, text, colours.TEXT, tiles.font(size), anchor="ls", stroke_width=1, stroke_fill="#000"
    )
    return np.asarray(image)


def _with_scale(page: np.ndarray, limit: float) -> np.ndarray:
    """`page` with the scale of its signed colours at the right."""
    height, text, bar = len(page), 13, 16
    length = min(height - 12 * tiles.GAP, 260)
    words = {0: f"+{limit:.2g}", length // 2: "0", length: f"-{limit:.2g}"}
    heads = {-1.6 * text: "for glaucoma", length + 1.6 * text: "against"}
    width = 2 * tiles.GAP + int(tiles.font(text).getlength("for glaucoma"))
    strip = Image.new("RGB", (width, height), colours.PAPER)
    top = (height - length) // 2
    # (length,) from +1 to -1 -> (length, bar)
    values = np.linspace(1.0, -1.0, length)[:, None].repeat(bar, axis=1)
    colour = colours.blend_evidence(np.full(values.shape, 90, np.uint8), values)
    strip.paste(Image.fromarray(colour), (tiles.GAP, top))
    draw = ImageDraw.Draw(strip)
    for y, word in words.items():
        place = (2 * tiles.GAP + bar, top + y)
        draw.text(place, word, colours.TEXT, tiles.font(text), anchor="lm")
    for y, word in heads.items():
        draw.text((tiles.GAP, top + y), word, colours.FAINT, tiles.font(text), anchor="lm")
    return np.concatenate([page, np.asarray(strip)], axis=1)

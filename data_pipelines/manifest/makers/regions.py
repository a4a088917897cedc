"""Disc or cup as a set gives it: a picture, a soft map, an outline as text or as points."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from data_pipelines import images
from data_pipelines.bad_file import BadFile
from data_pipelines.manifest.mask_codes import read_coded_mask

# A map of up to so many pixels more or less a side than its photograph is brought to its size.
_NEARLY = 16


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture whose values from `least` on are the region: a binary mask, or a soft map.

    Attributes:
      path: a grey picture.
      least: 128 for a binary mask of 0 and 255; of a soft map of 4 readers 191 is 3 of them.
      binary: other values than 0 and 1, or 0 and 255, are refused.
      nearly: a size that differs by a few pixels is stretched to the photograph's.
    """

    path: Path
    least: int = 128
    binary: bool = True
    nearly: bool = False

    def pixels(self, height: int, width: int) -> np.ndarray:
        """bool (height, width). Raises BadFile."""
        values = _read_grey(self.path)
        held = np.unique(values)
        if self.binary and len(held) > 2:
            raise BadFile(self.path, f"holds {len(held)} values; a mask of one region has two")
        if self.binary and held.max() == 1:
            values = values * np.uint8(255)
        if self.nearly and values.shape != (height, width):
            values = _stretched(values, height, width, self.path)
        _check_size(values.shape, height, width, self.path)
        return values >= self.least


def _read_grey(path: Path) -> np.ndarray:
    """uint8 (h, w); black-and-white pictures give 0 and 255."""
    with images.open_image(path) as opened:
        if opened.mode == "1":
            return np.asarray(images.decode(opened, path)).astype(np.uint8) * 255
    return images.read_label_values(path)


def _stretched(values: np.ndarray, height: int, width: int, path: Path) -> np.ndarray:
    if max(abs(values.shape[0] - height), abs(values.shape[1] - width)) > _NEARLY:
        _check_size(values.shape, height, width, path)
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.NEAREST))


def _check_size(shape: tuple[int, ...], height: int, width: int, path: Path) -> None:
    if shape != (height, width):
        raise BadFile(
            path,
            f"has {shape[1]} x {shape[0]} pixels (width x height), its photograph "
            f"{width} x {height}",
        )


@dataclasses.dataclass(frozen=True)
class Marked:
    """What a mask in codes marks of some ids, as one reader's of several.

    Attributes:
      path: of the mask.
      codes: stored value -> id.
      ids: that are the region.
    """

    path: Path
    codes: Mapping[int, int]
    ids: tuple[int, ...]

    def pixels(self, height: int, width: int) -> np.ndarray:
        """bool (height, width). Raises BadFile."""
        found = read_coded_mask(self.path, self.codes)
        _check_size(found.shape, height, width, self.path)
        return np.isin(found, self.ids)


@dataclasses.dataclass(frozen=True)
class Contour:
    """A text file with a closed outline: a line `x y` a node, in pixels of the photograph."""

    path: Path

    def pixels(self, height: int, width: int) -> np.ndarray:
        """bool (height, width). Raises BadFile."""
        try:
            text = self.path.read_text("utf-8-sig")
            points = [tuple(map(float, line.replace(",", " ").split())) for line in text.split("\n")
                      if line.strip()]  # fmt: skip
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise BadFile(self.path, f"is no outline of 'x y' lines ({error})") from None
        if any(len(point) != 2 for point in points):
            raise BadFile(self.path, "is no outline: every line must be 'x y'")
        return filled(points, height, width, self.path)


@dataclasses.dataclass(frozen=True)
class Polygon:
    """An outline as points (x, y) in pixels of the photograph, read from `path`."""

    path: Path
    points: tuple[tuple[float, float], ...]

    def pixels(self, height: int, width: int) -> np.ndarray:
        """bool (height, width). Raises BadFile."""
        return filled(self.points, height, width, self.path)


def filled(points, height: int, width: int, path: Path) -> np.ndarray:
    """The inside of a closed polygon, edge included; bool (height, width).

    Raises BadFile for fewer than 3 nodes, or nodes outside the photograph.
    """
    nodes = np.asarray(points, float).reshape(-1, 2)
    if len(nodes) < 3 or not np.isfinite(nodes).all():
        raise BadFile(path, f"is no outline: {len(nodes)} nodes")
    low, high = nodes.min(axis=0), nodes.max(axis=0)
    if (low < -1).any() or high[0] > width or high[1] > height:
        raise BadFile(
            path,
            f"reaches from {low.round(1).tolist()} to {high.round(1).tolist()} (x, y), outside its "
            f"photograph of {width} x {height}: is it that of another, or of a crop?",
        )
    canvas = Image.new("1", (width, height))
    ImageDraw.Draw(canvas).polygon([tuple(node) for node in nodes], fill=1, outline=1)
    return np.asarray(canvas)

"""What readers measure of an optic disc: ratios, areas, and the width of the rim around it.

Definitions with a drawing in words: docs/measures.md.
"""

import dataclasses
import math
from typing import Any, Literal

import numpy as np

from imo_jax.metrics.cup_to_disc import disc_and_cup

Side = Literal["OD", "OS"]

SECTORS = ("superior", "right", "inferior", "left")  # of the photograph, clockwise from the top
# Right and left of the photograph in the words of the eye: the nose is right of a right eye's disc.
NAMES_BY_SIDE: dict[str, dict[str, str]] = {
    "OD": {"right": "nasal", "left": "temporal"},
    "OS": {"right": "temporal", "left": "nasal"},
}
ISNT = ("inferior", "superior", "nasal", "temporal")  # widest first, in most healthy eyes

DIRECTIONS = 360  # rays from the centre of the disc
STEPS = 512  # samples of a ray


@dataclasses.dataclass(frozen=True)
class DiscMeasures:
    """Measures of one disc. Lengths and areas are in pixels of the map that was measured; in
    millimetres on the retina as well where the size of a pixel there is known.

    Attributes:
      vertical_cdr: rows of the cup over rows of the disc, 0..1.
      horizontal_cdr: columns of the cup over columns of the disc, 0..1.
      area_cdr: area of the cup over area of the disc, 0..1.
      disc_area, cup_area: in pixels.
      disc_height: rows of the disc, its vertical diameter.
      clock_rim: (12,) mean rim width about the hours 12, 1, ..., 11 as they lie on the photograph.
      sector_rim: name -> mean rim width of a quadrant; `superior` and `inferior`, and `nasal` and
        `temporal` where the eye's side is known, else `right` and `left` of the photograph.
      isnt: whether inferior >= superior >= nasal >= temporal; None where the side is not known.
      mm_per_pixel: side of a (square) pixel on the retina; None where it is not known.
    """

    vertical_cdr: float
    horizontal_cdr: float
    area_cdr: float
    disc_area: int
    cup_area: int
    disc_height: int
    clock_rim: tuple[float, ...]
    sector_rim: dict[str, float]
    isnt: bool | None
    mm_per_pixel: float | None = None

    @property
    def disc_area_mm2(self) -> float | None:
        """Of the disc, in mm^2; None without a spacing."""
        return self._mm2(self.disc_area)

    @property
    def cup_area_mm2(self) -> float | None:
        """Of the cup, in mm^2; None without a spacing."""
        return self._mm2(self.cup_area)

    @property
    def disc_height_mm(self) -> float | None:
        """Vertical diameter of the disc in mm; None without a spacing."""
        return None if self.mm_per_pixel is None else self.disc_height * self.mm_per_pixel

    @property
    def sector_rim_mm(self) -> dict[str, float] | None:
        """Name -> mean rim width of a quadrant in mm; None without a spacing."""
        if self.mm_per_pixel is None:
            return None
        return {name: width * self.mm_per_pixel for name, width in self.sector_rim.items()}

    def _mm2(self, pixels: int) -> float | None:
        return None if self.mm_per_pixel is None else pixels * self.mm_per_pixel**2

    def to_json(self) -> dict[str, Any]:
        """The measures as they stand in files.

        Rim widths are in shares of the disc's vertical diameter, which do not depend on a camera's
        magnification, and areas in pixels; in mm and mm^2 (None without a spacing) beside.
        """
        rim = {name: width / self.disc_height for name, width in self.sector_rim.items()}
        clock = [width / self.disc_height for width in self.clock_rim]
        return {
            "vertical_cdr": self.vertical_cdr,
            "horizontal_cdr": self.horizontal_cdr,
            "area_cdr": self.area_cdr,
            "disc_area_px": self.disc_area,
            "cup_area_px": self.cup_area,
            "mm_per_pixel": self.mm_per_pixel,
            "disc_area_mm2": self.disc_area_mm2,
            "cup_area_mm2": self.cup_area_mm2,
            "disc_height_mm": self.disc_height_mm,
            "rim_width": rim,
            "rim_width_by_clock_hour": dict(zip(_hours(), clock, strict=True)),
            "rim_width_unit": "vertical disc diameters",
            "rim_width_mm": self.sector_rim_mm,
            "isnt": self.isnt,
        }


def measure_disc(
    ids: np.ndarray,
    *,
    eye: Side | None = None,
    largest_component: bool = True,
    mm_per_pixel: float | None = None,
) -> DiscMeasures | None:
    """Measures the disc of an id map.

    The width of the rim in a direction is the length of the ray from the disc's centre of mass
    that lies in the disc but not in the cup. It is averaged over quadrants centred at the top, the
    right, the bottom and the left, and over the twelve hours of a clock face.

    Args:
      ids: (H, W) integer ids of an upright photograph, 0 background, 1 rim, 2 cup; 255 is outside.
      eye: "OD" (right), "OS" (left), or None where it is not known.
      largest_component: see `cup_to_disc.vertical_cdr`.
      mm_per_pixel: side of a (square) pixel on the retina, where it is known.

    Returns:
      The measures; None where there is no disc.

    Raises:
      ValueError: another word for the side of the eye.
    """
    if eye is not None and eye not in NAMES_BY_SIDE:
        raise ValueError(f"eye={eye!r} is neither 'OD' (right) nor 'OS' (left)")
    disc, cup = disc_and_cup(ids, largest_component)
    if not disc.any():
        return None
    widths = rim_widths(disc, cup)
    sectors = _named_sectors(widths, eye)
    return DiscMeasures(
        vertical_cdr=_extent(cup, 1) / _extent(disc, 1),
        horizontal_cdr=_extent(cup, 0) / _extent(disc, 0),
        area_cdr=float(cup.sum() / disc.sum()),
        disc_area=int(disc.sum()),
        cup_area=int(cup.sum()),
        disc_height=_extent(disc, 1),
        clock_rim=tuple(map(float, _means(widths, 12))),
        sector_rim=sectors,
        isnt=None if eye is None else follows_isnt(sectors),
        mm_per_pixel=mm_per_pixel,
    )


def areas_in_words(measures: DiscMeasures) -> str:
    """Areas of disc and cup in mm^2; "" where the spacing of the pixels is not known."""
    if measures.mm_per_pixel is None:
        return ""
    return f"disc {measures.disc_area_mm2:.2f} mm², cup {measures.cup_area_mm2:.2f} mm²"


def rim_widths(disc: np.ndarray, cup: np.ndarray) -> np.ndarray:
    """Rim width by direction: (DIRECTIONS,) float64 pixels, clockwise from the top.

    Args:
      disc: (H, W) bool, not empty.
      cup: (H, W) bool, within the disc.
    """
    rows, columns = np.nonzero(disc)
    box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    disc, cup = disc[box], cup[box]
    centre = rows.mean() - rows.min(), columns.mean() - columns.min()
    # Far enough to leave the disc from any point within it.
    reach = math.hypot(*disc.shape)
    angle = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
    radius = (np.arange(STEPS) + 0.5) * reach / STEPS
    row = np.rint(centre[0] - np.outer(np.cos(angle), radius)).astype(int)
    column = np.rint(centre[1] + np.outer(np.sin(angle), radius)).astype(int)
    inside = (row >= 0) & (row < disc.shape[0]) & (column >= 0) & (column < disc.shape[1])
    rim = disc & ~cup
    # (DIRECTIONS, STEPS) -> (DIRECTIONS,)
    return (rim[row * inside, column * inside] & inside).sum(axis=1) * reach / STEPS


def follows_isnt(sectors: dict[str, float]) -> bool:
    """Whether the rim is widest below, then above, then at the nose, then at the temple."""
    widths = [sectors[name] for name in ISNT]
    return all(wide >= narrow for wide, narrow in zip(widths[:-1], widths[1:], strict=True))


def _named_sectors(widths: np.ndarray, eye: Side | None) -> dict[str, float]:
    names = NAMES_BY_SIDE[eye] if eye is not None else {}
    means = _means(widths, len(SECTORS))
    return {names.get(name, name): float(width) for name, width in zip(SECTORS, means, strict=True)}


def _means(widths: np.ndarray, parts: int) -> np.ndarray:
    """Means over equal parts of the circle, the first of them centred at the top."""
    length = DIRECTIONS // parts
    # (DIRECTIONS,) -> (parts, directions of a part)
    return np.roll(widths, length // 2).reshape(parts, length).mean(axis=1)


def _extent(mask: np.ndarray, across: int) -> int:
    """Rows (across=1) or columns (across=0) from the first to the last that the mask touches."""
    touched = np.flatnonzero(mask.any(axis=across))
    return 0 if len(touched) == 0 else int(touched[-1] - touched[0] + 1)


def _hours() -> list[str]:
    """The hours of a clock face, from the top."""
    return ["12", *(str(hour) for hour in range(1, 12))]

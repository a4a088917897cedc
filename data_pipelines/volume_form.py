"""What the axes and numbers of an OCT volume mean, where its file does not tell or tells wrong."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np

from data_pipelines.bad_file import BadFile

AXES = ("slices", "depth", "width")
ORDERS = tuple(",".join(order) for order in itertools.permutations(AXES))


@dataclasses.dataclass(frozen=True)
class VolumeForm:
    """How a volume's array is to be taken.

    Attributes:
      axes: order of its axes, of ORDERS; None = (slices, depth, width), and doubted where it does
        not look like that.
      range: "LOW..HIGH", the numbers of black and of white; None = judged by the numbers, see
        `volume_numbers.meaning`.
    """

    axes: str | None = None
    range: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for other axes, or a range that is none."""
        if self.axes is not None:
            parse_axes(self.axes)
        if self.range is not None:
            parse_range(self.range)

    @property
    def order(self) -> tuple[int, ...]:
        """Where slices, depth and width stand among the axes of the stored array."""
        stored = AXES if self.axes is None else self.axes.split(",")
        return tuple(stored.index(axis) for axis in AXES)

    def texts(self) -> list[str]:
        """What prepared data depend on beside the volume's file; [] where nothing is said."""
        return [] if self == AS_STORED else [str(self)]

    def of(self, volume: np.ndarray, path: Path | str) -> np.ndarray:
        """The volume as (slices, depth, width); uint8, 0..255 from black to white, with a range.

        One that was gathered in this order is turned without a copy.

        Args:
          volume: (a, b, c) as it is stored.
          path: its file, for the message.

        Raises:
          BadFile: the range holds none of its numbers.
        """
        volume = volume.transpose(self.order)
        if self.range is None:
            return np.ascontiguousarray(volume)
        low, high = parse_range(self.range)
        least, most = float(volume.min()), float(volume.max())
        if most <= low or least >= high:
            raise BadFile(
                path,
                f"holds {least:.4g} to {most:.4g}, all beyond the range {self.range} that is given",
            )
        grey = np.empty(volume.shape, np.uint8)
        for b_scan, there in zip(volume, grey, strict=True):  # not all at once: that takes memory
            there[...] = np.clip(np.rint((b_scan - low) * (255.0 / (high - low))), 0, 255)
        return grey


AS_STORED = VolumeForm()


def parse_axes(text: str) -> str:
    """An order of ORDERS, from "depth,width,slices" or "depth width slices".

    Raises ValueError for anything else.
    """
    order = ",".join(text.replace(",", " ").lower().split())
    if order not in ORDERS:
        raise ValueError(
            f"oct_axes is {text!r}; give the order in the file, as 'depth,width,slices'"
        )
    return order


def parse_range(text: str) -> tuple[float, float]:
    """(black, white) from "0..40". Raises ValueError for anything else."""
    low, dots, high = str(text).partition("..")
    try:
        found = float(low), float(high)
    except ValueError:
        found = (0.0, 0.0)
    if not dots or not np.isfinite(found).all() or found[0] >= found[1]:
        raise ValueError(f"oct_range is {text!r}; give the numbers of black and white, as '0..40'")
    return found

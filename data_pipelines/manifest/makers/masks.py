"""One mask of ids from what a set has of an eye: a file in its codes, or regions of readers.

    Coded      one file; its codes, or several among which the file itself decides
    Outlines   disc and cup apart, of one reader or several

`compose` makes the ids; what readers disagree about, and cups that leave their disc, is measured.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from data_pipelines.bad_file import BadFile
from data_pipelines.images import BACKGROUND, CUP, IGNORE, RIM, read_label_values
from data_pipelines.manifest.mask_codes import in_words, require_rim_around_cup, without_cup

# How the readings of several become one.
AGREEMENTS = ("first", "majority", "all", "any", "disputed")

# A cup of which more lies outside its disc is not that of this disc.
_MAX_OUTSIDE = 0.5


class Region(Protocol):
    """One area in a photograph."""

    path: Path

    def pixels(self, height: int, width: int) -> np.ndarray:
        """bool (height, width). Raises BadFile."""


@dataclasses.dataclass(frozen=True)
class Composed:
    """A mask and what was noticed on the way.

    Attributes:
      ids: uint8 (height, width); None once it is written.
      has_ignored: whether it held 255.
      outside: part of the cup that lay outside the disc, and was left out.
      disc_dice, cup_dice, ratio_difference: of each pair of readers, in the mean; NaN for one.
    """

    ids: np.ndarray | None
    outside: float = 0.0
    disc_dice: float = float("nan")
    cup_dice: float = float("nan")
    ratio_difference: float = float("nan")
    has_ignored: bool = False


@dataclasses.dataclass(frozen=True)
class Coded:
    """One file whose values mean ids.

    Attributes:
      path: the picture, or a `.mat` file with the array `mask`.
      codes: stored value -> id, of each encoding that the set is known to come in. The one is taken
        whose background is at the picture's edge and whose cup lies within its rim.
      no_cup_is_unmarked: a mask without cup is one in which the cup was not marked, see Outlines.
    """

    path: Path
    codes: tuple[Mapping[int, int], ...]
    no_cup_is_unmarked: bool = False

    def compose(self, height: int, width: int) -> Composed:
        """Raises BadFile: a value that no encoding knows, another size, or cup around rim."""
        values = (
            _read_mat(self.path) if self.path.suffix.lower() == ".mat" else read_label_values(self.path)
        )
        if values.shape != (height, width):
            raise BadFile(
                self.path,
                f"has {values.shape[1]} x {values.shape[0]} pixels (width x height), its photograph "
                f"{width} x {height}",
            )
        held = {int(v) for v in np.unique(values)}
        edge = _most_frequent_at_edge(values)
        fitting = [c for c in self.codes if held <= set(c) and c[edge] == BACKGROUND]
        if not fitting:
            known = "; ".join(in_words(codes) for codes in self.codes)
            raise BadFile(
                self.path,
                f"holds the values {', '.join(map(str, sorted(held)[:8]))}, {edge} at its edge; known "
                f"are {known}",
            )
        table = np.full(256, IGNORE, np.uint8)
        for value, label in fitting[0].items():
            table[value] = label
        ids = table[values]
        require_rim_around_cup(ids, self.path, fitting[0])
        if self.no_cup_is_unmarked and not (ids == CUP).any():
            ids = without_cup(ids == RIM)
        return Composed(ids)


def _most_frequent_at_edge(values: np.ndarray) -> int:
    edge = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    return int(np.bincount(edge).argmax())


def _read_mat(path: Path) -> np.ndarray:
    """uint8 (h, w): the array `mask` of a MATLAB file (not of version 7.3)."""
    from scipy.io import loadmat

    try:
        values = np.asarray(loadmat(path, variable_names=["mask"])["mask"])
    except KeyError:
        raise BadFile(path, "holds no array 'mask'") from None
    except Exception as error:  # scipy raises many types on damaged files.
        raise BadFile(path, f"cannot be read as a MATLAB file ({type(error).__name__})") from None
    if values.ndim != 2 or values.dtype.kind not in "uifb" or not np.isin(values, range(256)).all():
        raise BadFile(path, f"its array 'mask' ({values.dtype}, {values.shape}) is no mask")
    return values.astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class Outlines:
    """Disc and cup as one or several readers drew them.

    Attributes:
      discs: one a reader.
      cups: one a reader, in the same order; empty where the cup is not marked. That is not "no
        cup": the inside of the disc is then 255, ignore, but for its outermost ring.
      agreement: "first" takes the first reader's; "majority" what more than half have marked, "all",
        "any"; "disputed" what all have marked, and 255 where they differ.
      told_apart: whether a region is one reader's; the levels of a soft map are not, and nothing is
        said about their differences.

    A reader who left the disc empty is passed over where others have marked it.
    """

    discs: Sequence[Region]
    cups: Sequence[Region]
    agreement: str = "first"
    told_apart: bool = True

    def compose(self, height: int, width: int) -> Composed:
        """Raises BadFile: an unreadable region, an empty disc, a cup of another disc."""
        discs = np.stack([region.pixels(height, width) for region in self.discs])
        drawn = discs.any(axis=(1, 2))
        if not drawn.any() or (self.told_apart and self.agreement == "first" and not drawn[0]):
            raise BadFile(self.discs[0].path, "is empty: no pixel is disc")
        discs = discs[drawn] if self.told_apart else discs
        disc, disc_disputed = _agreed(discs, self.agreement)
        ids = np.where(disc, RIM, BACKGROUND).astype(np.uint8)
        if not self.cups:
            ids = without_cup(disc)
            ids[disc_disputed] = IGNORE
            return Composed(ids, disc_dice=_pairwise(_dice, discs))
        cups = np.stack([region.pixels(height, width) for region in self.cups])
        cups = cups[drawn] if self.told_apart else cups
        cup, cup_disputed = _agreed(cups, self.agreement)
        outside = float(np.count_nonzero(cup & ~disc)) / max(int(np.count_nonzero(cup)), 1)
        if outside > _MAX_OUTSIDE and not disc_disputed.any():
            raise BadFile(
                self.cups[0].path,
                f"lies to {outside:.0%} outside the disc of {self.discs[0].path.name}: are the two "
                "swapped, or of different eyes?",
            )
        ids[cup & disc] = CUP
        ids[(cup_disputed & disc) | disc_disputed] = IGNORE
        if not self.told_apart:
            return Composed(ids, outside)
        return Composed(
            ids,
            outside,
            _pairwise(_dice, discs),
            _pairwise(_dice, cups),
            _pairwise(_ratio_difference, list(zip(discs, cups, strict=True))),
        )


def _agreed(readings: np.ndarray, agreement: str) -> tuple[np.ndarray, np.ndarray]:
    """(agreed region, where readers differ and nothing is agreed) of bool (readers, h, w)."""
    votes = readings.sum(axis=0)
    nowhere = np.zeros(votes.shape, bool)
    if agreement == "disputed":
        return votes == len(readings), (votes > 0) & (votes < len(readings))
    agreed = {
        "first": lambda: readings[0],
        "majority": lambda: 2 * votes > len(readings),
        "all": lambda: votes == len(readings),
        "any": lambda: votes > 0,
    }
    return agreed[agreement](), nowhere


def _pairwise(measure, readings: Sequence) -> float:
    values = [measure(a, b) for a, b in itertools.combinations(readings, 2)]
    return float(np.mean(values)) if values else float("nan")


def _dice(a: np.ndarray, b: np.ndarray) -> float:
    both = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2 * int(np.count_nonzero(a & b)) / both if both else 1.0


def _ratio_difference(a: tuple, b: tuple) -> float:
    """Of the vertical cup-to-disc ratios of two readers, in whole rows."""

    def ratio(disc: np.ndarray, cup: np.ndarray) -> float:
        return np.count_nonzero(cup.any(axis=1)) / np.count_nonzero(disc.any(axis=1))

    return abs(ratio(*a) - ratio(*b))


def notes_about(composed: Sequence[Composed]) -> list[str]:
    """What a user should know of how masks were made: disagreement, cups outside discs."""
    notes = []
    read_twice = [c for c in composed if np.isfinite(c.disc_dice)]
    if read_twice:
        with np.errstate(all="ignore"):
            means = [
                np.nanmean([getattr(c, name) for c in read_twice])
                for name in ("disc_dice", "cup_dice", "ratio_difference")
            ]
        notes.append(
            f"Readers against each other, mean of {len(read_twice)} eyes: disc Dice {means[0]:.3f}, "
            f"cup Dice {means[1]:.3f}, vertical cup-to-disc ratio {means[2]:.3f} apart. A network "
            "cannot be shown to do better than that here."
        )
    leaving = [c.outside for c in composed if c.outside > 0]
    if leaving:
        notes.append(
            f"{len(leaving)} cups reach outside their disc (at most {max(leaving):.1%} of the cup): "
            "that part is background."
        )
    blind = sum(c.has_ignored for c in composed)
    if blind:
        notes.append(f"{blind} masks hold pixels to be ignored (255).")
    return notes

"""Eyes of one side shown mirrored, so that a network sees all eyes as of the other side.

Photograph, mask and volume are mirrored together; what is said of them is mirrored back.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# Array of an example -> its axis of the width, which a mirror reverses; of a batch, one more:
# fundus (H, W, 3), mask (H, W), oct (depth, width, slices), scan (depth, width, 3),
# cube (slices, depth, width).
WIDTH = {"fundus": 1, "mask": 1, "oct": 1, "scan": 1, "cube": 2}


def to_mirror(sides: Sequence[str | None], side: str, wanted: bool) -> np.ndarray:
    """bool (n,): which eyes are shown mirrored; those of unknown side never are.

    Args:
      sides: "OD", "OS" or None of each eye.
      side: which of them are mirrored.
      wanted: False = none are.
    """
    return np.array([own == side for own in sides], bool) & wanted


def mirrored(example: Mapping[str, Any]) -> dict[str, Any]:
    """An example with its images mirrored: views, all else as it is."""
    return {n: np.flip(x, WIDTH[n]) if n in WIDTH else x for n, x in example.items()}


def with_mirrored_rows(
    batch: Mapping[str, Any], rows: np.ndarray, width: Mapping[str, int]
) -> dict[str, Any]:
    """A batch of which some rows are reversed along their width.

    Args:
      batch: arrays (B, ...); those that are not in `width` stay as they are.
      rows: bool (B,).
      width: name of an array -> its axis of the width.
    """
    found = dict(batch)
    if not rows.any():
        return found
    for name in width.keys() & batch.keys():
        values = np.array(batch[name])
        values[rows] = np.flip(values[rows], width[name])
        found[name] = values
    return found


def sides_in_words(sides: Sequence[str | None]) -> str:
    """What becomes of eyes where left ones are shown as right ones, in one line."""
    left, right = sides.count("OS"), sides.count("OD")
    unknown = len(sides) - left - right
    said = f"left_as_right: {left} left eyes are seen mirrored, {right} right eyes as they are"
    if not unknown:
        return said
    return (
        f"{said}, and so are {unknown} of which the side is not known (the manifest's column eye, "
        "OD or OS, says it)"
    )

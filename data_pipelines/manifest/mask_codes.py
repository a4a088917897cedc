"""What the values of a mask mean where they are not ids, and the ids that become of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy import ndimage

from data_pipelines import images
from data_pipelines.bad_file import BadFile
from data_pipelines.images import BACKGROUND, CUP, IGNORE, RIM
from data_pipelines.manifest.inside_out import is_inside_out

# Stored value -> id.
MASK_CODES: dict[str, dict[int, int]] = {
    "ids": {0: BACKGROUND, 1: RIM, 2: CUP, 255: IGNORE},
    "gamma": {255: BACKGROUND, 128: RIM, 0: CUP},
    "rising": {0: BACKGROUND, 128: RIM, 255: CUP},
}

_CODE_NAMES = {"bg": BACKGROUND, "rim": RIM, "cup": CUP, "ignore": IGNORE}
_DISC = "disc"  # of masks in which the cup is not marked

# Part of a disc's width that is rim at its edge whatever the cup.
RING = 0.03


def parse_mask_codes(text: str) -> dict[int, int]:
    """Stored value -> id, from a name of MASK_CODES or 'bg:255,rim:128,cup:0[,ignore:7]'.

    From 'bg:0,disc:255' codes without a cup: the disc alone is marked, and its value means rim, see
    without_cup. Parts are separated by commas or spaces. Raises ValueError for anything else.
    """
    if text in MASK_CODES:
        return MASK_CODES[text]
    usage = f"give one of {', '.join(MASK_CODES)}, or e.g. bg:255,rim:128,cup:0, or bg:0,disc:255"
    codes: dict[int, int] = {}
    names = _CODE_NAMES | {_DISC: RIM}
    for part in text.replace(",", " ").split():
        name, _, value = part.partition(":")
        if name not in names or not value.isdecimal() or int(value) > 255:
            raise ValueError(f"mask_codes {part!r} is not understood; {usage}")
        if int(value) in codes or names[name] in codes.values():
            raise ValueError(f"mask_codes names {part!r} twice; {usage}")
        codes[int(value)] = names[name]
    wanted = {BACKGROUND, RIM} if f"{_DISC}:" in text else {BACKGROUND, RIM, CUP}
    if set(codes.values()) - {IGNORE} != wanted:
        raise ValueError(f"mask_codes must name bg, rim and cup, or bg and disc; {usage}")
    return codes


def checked_codes(text: str) -> str:
    """The text, which parse_mask_codes understands. Raises ValueError where it does not."""
    parse_mask_codes(text)
    return text


def codes_texts(codes: str | None) -> list[str]:
    """What is found in a mask, and made of it, depends on beside its file; [] where it is of ids."""
    return [] if codes is None else [f"mask_codes {codes}"]


def read_mask(path: Path, codes: str | None) -> np.ndarray:
    """Reads a mask of a manifest.

    Args:
      path: of the mask.
      codes: what its values mean, see parse_mask_codes; None = they are ids.

    Returns:
      uint8 (height, width) of ids.

    Raises:
      BadFile: as images.read_mask or read_in_codes.
    """
    return images.read_mask(path) if codes is None else read_in_codes(path, parse_mask_codes(codes))


def read_in_codes(path: Path, codes: Mapping[int, int]) -> np.ndarray:
    """uint8 (height, width) of ids; of codes without a cup the inside of the disc is ignored.

    Raises:
      BadFile: as read_coded_mask, and where the cup lies around the rim.
    """
    ids = read_coded_mask(path, codes)
    require_rim_around_cup(ids, path, codes)
    if CUP not in codes.values():
        ids = np.where(ids == IGNORE, ids, without_cup(ids == RIM))
    return ids


def read_coded_mask(path: Path, codes: Mapping[int, int]) -> np.ndarray:
    """Reads what is marked in a mask of other values than ids.

    Args:
      path: a picture that images.read_label_values understands.
      codes: stored value -> id.

    Returns:
      uint8 (height, width) of ids.

    Raises:
      BadFile: as read_label_values, or a value that is not among the codes.
    """
    values = images.read_label_values(path)
    counts = np.bincount(values.ravel(), minlength=256)
    table = np.full(256, IGNORE, np.uint8)
    for value, label in codes.items():
        table[value] = label
    wrong = [v for v in np.flatnonzero(counts) if v not in codes]
    if wrong:
        shown = ", ".join(f"{v} ({counts[v]} pixels)" for v in wrong[:8])
        more = ", ..." if len(wrong) > 8 else ""
        meant = ", ".join(str(v) for v in sorted(codes))
        raise BadFile(
            path,
            f"holds values that are not among its codes {meant}: {shown}{more}; "
            "say what they mean with --mask_codes or a column mask_codes: ids, gamma, or "
            "bg:VALUE,rim:VALUE,cup:VALUE (bg:VALUE,disc:VALUE where the disc alone is marked)",
        )
    return table[values]


def without_cup(disc: np.ndarray) -> np.ndarray:
    """Ids of a disc whose cup was not marked: its outermost ring is rim, the inside ignored.

    No cup reaches the edge of its disc, so that a ring of RING of the disc's width is rim for sure;
    it is where the disc is told from what surrounds it.
    """
    ids = np.where(disc, IGNORE, BACKGROUND).astype(np.uint8)
    if disc.any():
        width = int(np.ptp(np.nonzero(disc.any(axis=0))[0])) + 1
        depth = max(1, round(RING * width))
        inside = ndimage.binary_erosion(disc, iterations=depth, border_value=1)
        ids[disc & ~inside] = RIM
    return ids


def require_rim_around_cup(ids: np.ndarray, path: Path, codes: Mapping[int, int]) -> None:
    """Raises BadFile where ids that were read by these codes have their rim inside their cup."""
    if is_inside_out(ids):
        raise BadFile(
            path, f"has its rim inside its cup, read as {in_words(codes)}: its codes are swapped"
        )


def in_words(codes: Mapping[int, int]) -> str:
    """'255 background, 128 rim, 0 cup'."""
    names = {BACKGROUND: "background", RIM: "rim", CUP: "cup", IGNORE: "ignore"}
    return ", ".join(f"{value} {names[label]}" for value, label in codes.items())

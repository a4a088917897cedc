"""The eyes of a comparison as every row sees them: a picture of a few, and the gallery of all."""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from imo_jax.labels import REGIONS
from imo_jax.metrics.imo_eye import EyeRecord
from imo_jax.metrics.segmentation import pixel_confusion, region_dice
from imo_jax.report.cards import gallery_section, jpeg
from imo_jax.report.comparison import Finished
from imo_jax.report.eye_cards import (
    PHOTO,
    PHOTO_QUALITY,
    group_names,
    groups_of,
    order_of,
    shapes,
)
from imo_jax.report.page import Section
from imo_jax.visualisation.methods_panel import ComparedEye, View, methods_panel, shown_box
from imo_jax.visualisation.tiles import cut
from imo_jax.visualisation.vector_outlines import mask_paths

SHOWN = 4  # eyes of the picture
# Of the outlines of the rows, in order: they stand out from a photograph and from each other.
LINES = ("#56c8ff", "#faeb3c", "#3fe0a0", "#ff9ad5", "#ff7a3d", "#c3a6ff", "#b8ff5a", "#ff5a6e")
TRUTH = "truth (dotted)"
TEXT = (
    "Test eyes of the first fold as the runs of seed 0 see them, at the disc: outlines of disc and "
    "cup of every row that segments, each in its colour; the truth dotted in white."
)
DISAGREEMENTS = {
    "shapes": "disagreement of the outlines",
    "grades": "disagreement of the grades",
}
# What a card is sorted by of a row: head -> numbers of `order_of` -> words.
OF_ROW = {
    "segment": {"shape_error": "error of the shapes", "vcdr_error": "error of the vertical ratio"},
    "grade": {"grade_error": "error of the grade"},
}


@dataclasses.dataclass(frozen=True)
class LabelledEye:
    """A test eye of the first fold, and what is known of it.

    Attributes:
      index: its position in the split, and so in the rows' records and masks.
      name: of the eye.
      photograph: (S, S, 3) uint8.
      mask: (S, S) uint8 ids, 255 = ignore; None where it has none.
      vcdr: its vertical cup-to-disc ratio at the mask's native size; NaN without a disc.
      grade: name of its grade; None where it has none.
    """

    index: int
    name: str
    photograph: np.ndarray
    mask: np.ndarray | None
    vcdr: float
    grade: str | None


def shown_eyes(ratios: Sequence[float], number: int = SHOWN) -> list[int]:
    """Positions of eyes, evenly from the smallest true vertical CDR to the largest.

    So they are the same for all tables, and not picked for any method. Without masks: the first.

    Args:
      ratios: of each eye of a split; NaN where it is not known.
      number: of eyes that are wanted.
    """
    known = np.flatnonzero(np.isfinite(ratios))
    if not len(known):
        return list(range(min(number, len(ratios))))
    ordered = sorted(known.tolist(), key=lambda i: ratios[i])
    places = np.linspace(0, len(ordered) - 1, min(number, len(ordered)))
    return [ordered[round(place)] for place in places]


def eyes_picture(
    rows: Sequence[Finished], eyes: Iterable[LabelledEye], heads: Sequence[str], title: str
) -> np.ndarray:
    """Eyes as the runs of seed 0 see them.

    Args:
      rows: of a comparison.
      eyes: a few.
      heads: of "segment" and "grade": what is shown.
      title: one line.

    Returns:
      (height, width, 3) uint8.
    """
    return methods_panel([seen_by_all(rows, eye, heads) for eye in eyes], title=title)


def seen_by_all(rows: Sequence[Finished], eye: LabelledEye, heads: Sequence[str]) -> ComparedEye:
    """An eye with what each row says of it."""
    lines = []
    if eye.mask is not None and "segment" in heads:
        lines.append(f"vertical CDR {eye.vcdr:.2f}" if np.isfinite(eye.vcdr) else "no disc")
    if eye.grade is not None and "grade" in heads:
        lines.append(eye.grade)
    return ComparedEye(
        name=eye.name,
        photograph=eye.photograph,
        truth=View(eye.mask, tuple(lines)),
        methods={row.title: _view(row, eye.index, heads) for row in rows},
    )


def _view(row: Finished, i: int, heads: Sequence[str]) -> View:
    ids = row.masks[i] if row.masks is not None and "segment" in heads else None
    return View(ids, said(row.seeds[0][i], heads))  # the first fold comes first


def said(record: EyeRecord, heads: Sequence[str]) -> tuple[str, ...]:
    """A record in few words: Dice of disc and cup, grade with its probability."""
    lines = []
    if "segment" in heads and (dice := shapes(record)):
        lines.append(f"Dice: {', '.join(f'{name} {value:.2f}' for name, value in dice.items())}")
    if record["grade_probabilities"] is not None and "grade" in heads:
        best = int(np.argmax(record["grade_probabilities"]))
        share = 100 * record["grade_probabilities"][best]
        lines.append(f"{record['grade_names'][best]} ({share:.0f} %)")
    return tuple(lines)


def eyes_section(
    rows: Sequence[Finished],
    eyes: Iterable[LabelledEye],
    heads: Sequence[str],
    grade_names: Sequence[str],
) -> Section:
    """The gallery of all eyes of the first fold.

    Args:
      rows, eyes, heads: as eyes_picture; heads are also what is sorted by.
      grade_names: of the grades that are scored.
    """
    outlined = [row for row in rows if row.masks is not None and "segment" in heads]
    return gallery_section(
        "eyes",
        [TEXT],
        [eye_card(rows, eye, heads) for eye in eyes],
        orders=DISAGREEMENTS | _errors(rows),
        groups=group_names(grade_names)
        | {f"wrong_{row.name}": f"wrong by {row.title}" for row in rows},
        layers={row.name: row.title for row in outlined} | {"truth": TRUTH},
        colours={row.name: LINES[n % len(LINES)] for n, row in enumerate(outlined)},
    )


def eye_card(rows: Sequence[Finished], eye: LabelledEye, heads: Sequence[str]) -> dict[str, Any]:
    """The card of an eye, ready for JSON: as `eye_cards.eye_card`, an outline a row."""
    shown = seen_by_all(rows, eye, heads)
    box, truth = shown_box(shown), shown.truth
    card: dict[str, Any] = {
        "id": eye.name,
        "photo": jpeg(cut(eye.photograph, box, (PHOTO, PHOTO)), PHOTO_QUALITY),
        "lines": [{"text": f"true: {', '.join(truth.lines)}"}] if truth.lines else [],
        "order": disagreements(rows, eye.index, heads),
        "groups": [],
    }
    if truth.ids is not None and "segment" in heads:
        card["truth"] = mask_paths(truth.ids, box)
    for row in rows:
        view, record = shown.methods[row.title], row.seeds[0][eye.index]
        if view.ids is not None:
            card[row.name] = mask_paths(view.ids, box)
        groups = groups_of(record) if "grade" in heads else []
        wrong = "wrong" in groups
        card["lines"].append({"text": f"{row.title}: {', '.join(view.lines)}", "wrong": wrong})
        card["order"] |= _order(row, record, heads)
        card["groups"] += [f"wrong_{row.name}" if g == "wrong" else g for g in groups]
    card["groups"] = sorted(set(card["groups"]))
    card["says"] = f"{eye.name}: " + "; ".join(line["text"] for line in card["lines"])
    return card


def disagreements(rows: Sequence[Finished], i: int, heads: Sequence[str]) -> dict[str, float]:
    """How much the rows differ on test eye i, each the mean over the pairs of rows, 0..1.

    `shapes`: 1 - Dice, mean of disc and cup; `grades`: half of the summed difference of the
    probabilities. Left out where fewer than two rows say anything.
    """
    found = {}
    masks = [row.masks[i] for row in rows if row.masks is not None]
    if "segment" in heads and len(masks) > 1:
        found["shapes"] = _mean(1 - _dice(*pair) for pair in itertools.combinations(masks, 2))
    grades = [row.seeds[0][i]["grade_probabilities"] for row in rows]
    grades = [probabilities for probabilities in grades if probabilities is not None]
    if "grade" in heads and len(grades) > 1:
        pairs = itertools.combinations(grades, 2)
        found["grades"] = _mean(float(np.abs(a - b).sum()) / 2 for a, b in pairs)
    return {name: round(value, 5) for name, value in found.items()}


def _dice(first: np.ndarray, second: np.ndarray) -> float:
    """Mean Dice of disc and cup of two maps of ids."""
    confusion = pixel_confusion(first, second)
    return _mean(float(region_dice(confusion, REGIONS[name])) for name in ("disc", "cup"))


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _errors(rows: Sequence[Finished]) -> dict[str, str]:
    names = [pair for of_head in OF_ROW.values() for pair in of_head.items()]
    return {f"{row.name}_{key}": f"{row.title}: {name}" for row in rows for key, name in names}


def _order(row: Finished, record: EyeRecord, heads: Sequence[str]) -> dict[str, float]:
    found: Mapping[str, float] = order_of(record)
    keys = [key for head in heads for key in OF_ROW[head]]
    return {f"{row.name}_{key}": found[key] for key in keys if key in found}

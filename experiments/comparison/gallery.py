"""Cards of a table's gallery: each test eye with what every row says of it."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from data_pipelines.load.stores import Store
from experiments.comparison.figure import compared
from experiments.comparison.scores import Finished
from experiments.prediction import SCORED
from imo_jax.labels import REGIONS
from imo_jax.metrics.segmentation import pixel_confusion, region_dice
from imo_jax.report.cards import gallery_section, jpeg
from imo_jax.report.eye_cards import PHOTO, PHOTO_QUALITY, group_names, groups_of, order_of
from imo_jax.report.page import Section
from imo_jax.visualisation.methods_panel import shown_box
from imo_jax.visualisation.tiles import cut
from imo_jax.visualisation.vector_outlines import mask_paths

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


def eyes_section(finished: Sequence[Finished], store: Store, heads: Sequence[str]) -> Section:
    """The gallery of the eyes of fold 0.

    Args:
      finished: rows of a table.
      store: the eyes of fold 0.
      heads: of "segment" and "grade": what is shown and sorted by.
    """
    outlined = [f for f in finished if f.masks is not None and "segment" in heads]
    return gallery_section(
        "eyes",
        [TEXT],
        [eye_card(finished, store, heads, i) for i in range(store.num(SCORED))],
        orders=DISAGREEMENTS | _errors(finished),
        groups=group_names(store.grade_names)
        | {f"wrong_{f.row.name}": f"wrong by {f.title}" for f in finished},
        layers={f.row.name: f.title for f in outlined} | {"truth": TRUTH},
        colours={f.row.name: LINES[n % len(LINES)] for n, f in enumerate(outlined)},
    )


def eye_card(
    finished: Sequence[Finished], store: Store, heads: Sequence[str], i: int
) -> dict[str, Any]:
    """The card of test eye i, ready for JSON: as `eye_cards.eye_card`, an outline a row."""
    eye = compared(finished, store, heads, i)
    box = shown_box(eye)
    card: dict[str, Any] = {
        "id": eye.name,
        "photo": jpeg(cut(eye.photograph, box, (PHOTO, PHOTO)), PHOTO_QUALITY),
        "lines": [{"text": f"true: {', '.join(eye.truth.lines)}"}] if eye.truth.lines else [],
        "order": disagreements(finished, heads, i),
        "groups": [],
    }
    if eye.truth.ids is not None and "segment" in heads:
        card["truth"] = mask_paths(eye.truth.ids, box)
    for f in finished:
        view, record = eye.methods[f.title], f.seeds[0][i]
        if view.ids is not None:
            card[f.row.name] = mask_paths(view.ids, box)
        groups = groups_of(record) if "grade" in heads else []
        wrong = "wrong" in groups
        card["lines"].append({"text": f"{f.title}: {', '.join(view.lines)}", "wrong": wrong})
        card["order"] |= _order(f, heads, i)
        card["groups"] += [f"wrong_{f.row.name}" if g == "wrong" else g for g in groups]
    card["groups"] = sorted(set(card["groups"]))
    card["says"] = f"{eye.name}: " + "; ".join(line["text"] for line in card["lines"])
    return card


def disagreements(finished: Sequence[Finished], heads: Sequence[str], i: int) -> dict[str, float]:
    """How much the rows differ on test eye i, each the mean over the pairs of rows, 0..1.

    `shapes`: 1 - Dice, mean of disc and cup; `grades`: half of the summed difference of the
    probabilities. Left out where fewer than two rows say anything.
    """
    found = {}
    masks = [f.masks[i] for f in finished if f.masks is not None]
    if "segment" in heads and len(masks) > 1:
        found["shapes"] = _mean(1 - _dice(*pair) for pair in itertools.combinations(masks, 2))
    grades = [f.seeds[0][i]["grade_probabilities"] for f in finished]
    grades = [probabilities for probabilities in grades if probabilities is not None]
    if "grade" in heads and len(grades) > 1:
        pairs = itertools.combinations(grades, 2)
        found["grades"] = _mean(float(np.abs(a - b).sum()) / 2 for a, b in pairs)
    return {name: round(value, 5) for name, value in found.items()}


def _dice(first: np.ndarray, second: np.ndarray) -> float:
    """Mean Dice of disc and cup of two maps of ids."""
    confusion = pixel_confusion(first, second)
    return _mean(float(region_dice(confusion, REGIONS[name])) for name in ("disc", "cup"))


def _mean(values: Any) -> float:
    return float(np.mean(list(values)))


# What a card is sorted by of a row: head -> numbers of `order_of` -> words.
OF_ROW = {
    "segment": {"shape_error": "error of the shapes", "vcdr_error": "error of the vertical ratio"},
    "grade": {"grade_error": "error of the grade"},
}


def _errors(finished: Sequence[Finished]) -> dict[str, str]:
    names = [pair for of_head in OF_ROW.values() for pair in of_head.items()]
    return {f"{f.row.name}_{key}": f"{f.title}: {name}" for f in finished for key, name in names}


def _order(f: Finished, heads: Sequence[str], i: int) -> dict[str, float]:
    found = order_of(f.seeds[0][i])
    keys = [key for head in heads for key in OF_ROW[head]]
    return {f"{f.row.name}_{key}": found[key] for key in keys if key in found}

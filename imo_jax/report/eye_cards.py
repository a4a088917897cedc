"""Cards of a gallery of eyes, as small as can be: a JPEG of the disc and paths over it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from imo_jax.labels import CUP, GRADE_NAMES, RIM
from imo_jax.metrics.disc_measures import DiscMeasures, areas_in_words
from imo_jax.metrics.imo_eye import EyeRecord, dice_of
from imo_jax.report.cards import jpeg
from imo_jax.visualisation import colours
from imo_jax.visualisation.overlays import MOST_UNCERTAIN, ratio_in_words
from imo_jax.visualisation.tiles import WHOLE, Box, cut, square_around
from imo_jax.visualisation.vector_outlines import mask_paths, probability_paths

PHOTO, HEAT = 256, 64  # sides of the pictures of a card in pixels
PHOTO_QUALITY, HEAT_QUALITY = 80, 70  # of their JPEG

ORDERS = {
    "shape_error": "error of the shapes",
    "vcdr_error": "error of the vertical ratio",
    "grade_error": "error of the grade",
    "spread": "spread of the vertical ratio",
    "glaucoma": "probability of glaucoma",
}
LAYERS = {"prediction": "prediction", "truth": "truth (dotted)", "heat": "uncertainty"}


def eye_card(
    example: dict[str, Any],
    answer: Any,
    record: EyeRecord,
    cdr_range: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """The card of one eye.

    Args:
      example: of a store, see `Store.example`.
      answer: EyeAnswer on the same working square.
      record: of the eye, from `score_eye`.
      cdr_range: interval of the vertical cup-to-disc ratio, where one was measured.

    Returns:
      Ready for JSON: `id`, `box` (the part that is shown), `says` and `lines` for people, `photo`
      and `heat` (JPEG in base64), `truth` and `prediction` (paths), `order` (numbers to sort by),
      `groups` (to filter by), `slide` (what the slider shows, see `step_cards`).
    """
    box = zoom(example, answer.probabilities)
    card: dict[str, Any] = {
        "id": record["id"],
        "box": box,
        "photo": jpeg(cut(example["fundus"], box, (PHOTO, PHOTO)), PHOTO_QUALITY),
        "lines": lines_of(record, cdr_range),
        "order": order_of(record),
        "groups": groups_of(record),
        "slide": "Denoising step",
    }
    if answer.probabilities is not None:
        card["prediction"] = probability_paths(answer.probabilities, box)
        if example["has_mask"]:
            card["truth"] = mask_paths(example["mask"], box)
    if answer.entropy is not None:
        values = cut(answer.entropy.astype(np.float32), box, (HEAT, HEAT)) / MOST_UNCERTAIN
        card["heat"] = jpeg(colours.heat(values), HEAT_QUALITY)
    card["says"] = f"{record['id']}: " + "; ".join(line["text"] for line in card["lines"])
    return card


def zoom(example: dict[str, Any], probabilities: np.ndarray | None) -> Box:
    """The square that a card shows: around the true disc, else the predicted one, else all."""
    if probabilities is None:
        return WHOLE
    ids = example["mask"] if example["has_mask"] else probabilities.argmax(axis=-1)
    disc = (ids == RIM) | (ids == CUP)
    return square_around(disc if disc.any() else probabilities.argmax(axis=-1) > 0)


def step_cards(
    steps: np.ndarray, times: Iterable[float], card: dict[str, Any]
) -> list[dict[str, Any]]:
    """The outlines that each denoising step predicts, and the result, for the slider of a card.

    Args:
      steps: (K, h, w, 3) probabilities predicted by the steps of one sample.
      times: of the steps, from 1 (noise) down.
      card: of the eye.
    """
    box = card["box"]
    cards = [
        {
            "name": f"step {k + 1} of {len(steps)}, t = {t:.2f}",
            "prediction": probability_paths(p, box),
        }
        for k, (p, t) in enumerate(zip(steps, times, strict=True))
    ]
    return [*cards, {"name": "result, mean over samples", "prediction": card["prediction"]}]


def lines_of(
    record: EyeRecord, cdr_range: tuple[float, float] | None = None
) -> list[dict[str, Any]]:
    """What stands below a picture: grade, shapes, ratios and rim; `wrong` where a grade is."""
    lines = []
    if record["grade_probabilities"] is not None:
        lines.append(_grade_line(record))
    if dice := shapes(record):
        lines.append({"text": f"Dice: {', '.join(f'{n} {v:.3f}' for n, v in dice.items())}"})
    if record["vcdr_pred"] is not None:
        lines.append({"text": _ratio_text(record, cdr_range)})
    if record["measures_pred"] is not None:
        lines += _measure_lines(record["measures_pred"])
    return lines + [{"text": f"doubtful: {doubt}"} for doubt in record.get("warnings", ())]


def shapes(record: EyeRecord) -> dict[str, float]:
    """Dice of disc and cup, as far as they are scored."""
    dice = dice_of(record)
    return {name: dice[name] for name in ("disc", "cup") if name in dice}


def _measure_lines(measures: DiscMeasures) -> list[dict[str, Any]]:
    """Rim and areas; in mm where the spacing is known."""
    rim = measures.to_json()["rim_width"]
    lines = [{"text": f"rim (disc diameters): {_widths(rim)}"}]
    if areas := areas_in_words(measures):
        lines.append({"text": f"area: {areas}"})
    if (in_mm := measures.sector_rim_mm) is not None:
        lines.append({"text": f"rim (mm): {_widths(in_mm)}"})
    return lines


def _widths(rim: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {width:.2f}" for name, width in rim.items())


def _grade_line(record: EyeRecord) -> dict[str, Any]:
    probabilities, grade = record["grade_probabilities"], record["grade"]
    best, names = int(np.argmax(probabilities)), record["grade_names"]
    text = f"grade: {names[best]} ({100 * probabilities[best]:.0f} %)"
    if grade is None:
        return {"text": text}
    return {"text": f"{text}, true {names[grade]}", "wrong": best != grade}


def _ratio_text(record: EyeRecord, cdr_range: tuple[float, float] | None) -> str:
    ratio = ratio_in_words(record["vcdr_pred"], cdr_range)
    if not ratio:
        return "no disc found"
    true = f", true {record['vcdr_true']:.2f}" if _known(record["vcdr_true"]) else ""
    return f"vertical ratio: {ratio}{true}"


def order_of(record: EyeRecord) -> dict[str, float]:
    """Numbers of an eye to sort by, the greatest first; one that is not known is left out."""
    found: dict[str, float] = {}
    if dice := shapes(record):
        found["shape_error"] = 1 - sum(dice.values()) / len(dice)
    if _known(record["vcdr_true"]):
        predicted = record["vcdr_pred"] if _known(record["vcdr_pred"]) else 0.0
        found["vcdr_error"] = abs(predicted - record["vcdr_true"])
    probabilities = record["grade_probabilities"]
    if probabilities is not None:
        found["glaucoma"] = 1 - float(probabilities[0])
        if record["grade"] is not None:
            found["grade_error"] = 1 - float(probabilities[record["grade"]])
    if _known(record["vcdr_sd"]):
        found["spread"] = float(record["vcdr_sd"])
    return {name: round(value, 5) for name, value in found.items() if math.isfinite(value)}


def groups_of(record: EyeRecord) -> list[str]:
    """What a card can be filtered by: its true grade, and whether the predicted one is wrong."""
    grade, probabilities = record["grade"], record["grade_probabilities"]
    groups = [] if grade is None else [f"grade{grade}"]
    if grade is not None and probabilities is not None and int(np.argmax(probabilities)) != grade:
        groups.append("wrong")
    return groups


def group_names(grade_names: Sequence[str] = GRADE_NAMES) -> dict[str, str]:
    """Groups of `groups_of` -> how people call them."""
    names = {f"grade{k}": f"{name} (true grade)" for k, name in enumerate(grade_names)}
    return names | {"wrong": "wrong grade"}


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)

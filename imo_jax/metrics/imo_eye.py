"""One eye's scores: the sums that `imo_summary` merges, and its row of per_eye.csv."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from imo_jax.labels import CUP, GRADE_NAMES, IGNORE, REGIONS, RIM
from imo_jax.metrics import calibration, segmentation
from imo_jax.metrics.cup_to_disc import soft_vertical_cdr, vertical_cdr
from imo_jax.metrics.disc_measures import DiscMeasures, Side, measure_disc
from imo_jax.metrics.uncertainty import error_auroc

EyeRecord = dict[str, Any]

# Columns of per_eye.csv for measures of the disc, true and predicted: where each is found in
# `DiscMeasures.to_json`. Which of the last four a rim has depends on whether the side is known.
RATIOS = ("horizontal_cdr", "area_cdr", "disc_area_px", "cup_area_px", "disc_area_mm2",
          "cup_area_mm2", "isnt")  # fmt: skip
RIMS = ("superior", "inferior", "nasal", "temporal", "right", "left")


def score_eye(
    eye_id: str,
    patient: str,
    *,
    probabilities: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    sample_ids: np.ndarray | None = None,
    uncertainty: np.ndarray | None = None,
    grade_probabilities: np.ndarray | None = None,
    grade: int | None = None,
    glaucoma: int | None = None,
    grade_names: Sequence[str] = GRADE_NAMES,
    eye: Side | None = None,
    mm_per_pixel: float | None = None,
) -> EyeRecord:
    """Everything that is scored of one eye, as small arrays; None where a label is missing.

    Args:
      eye_id, patient: from the manifest.
      probabilities: (H, W, 3) float at the mask's native size; None where nothing was segmented.
      mask: (H, W) true ids with 255 = ignore; None, or nothing but 255: not labelled.
      sample_ids: (K, h, w) ids of the single samples, at any scale (a ratio has none); their
        spread is `vcdr_sd`.
      uncertainty: (H, W) float, higher = less certain.
      grade_probabilities: (G,) float; None where nothing was graded.
      grade: 0..G-1, or None.
      glaucoma: 0 or 1, where that is known and no grade; or None.
      grade_names: G names of the grades, from normal (0) to the worst.
      eye: its side, which names the sectors of the rim; None where it is not known.
      mm_per_pixel: side of a pixel of the photograph on the retina; None where it is not known.

    Returns:
      `id`, `patient` and
      `vcdr_pred`, `vcdr_sd`: of the prediction (NaN: no disc found, or fewer than two samples);
      `measures_pred`, `measures_true`: DiscMeasures, or None where there is no disc;
      `confusion` (3, 3) int64, `cup_is_told`, `vcdr_true`, `calibration` (sums of
      `pixel_calibration` around the disc), `uncertainty_auroc` (there as well): None without a mask;
      where the mask does not tell the cup (`inside_is_ignored`) `cup_is_told` is False, `vcdr_true`
      NaN, `measures_true` None, and of the confusion only the disc counts, see `as_whole_disc`;
      `grade_probabilities` (G,) float64; `grade` and `glaucoma` int or None; `grade_names`.

    Raises:
      ValueError: sizes or ids that do not fit, with the eye's id.
    """
    record: EyeRecord = dict.fromkeys(
        ("vcdr_pred", "vcdr_sd", "confusion", "cup_is_told", "vcdr_true", "calibration",
         "uncertainty_auroc", "measures_pred", "measures_true")
    )  # fmt: skip
    record |= {"id": eye_id, "patient": patient, "grade": grade, "grade_probabilities": None}
    record["glaucoma"] = glaucoma if grade is None else int(grade > 0)
    record["grade_names"] = tuple(grade_names)
    if grade_probabilities is not None:
        if len(grade_probabilities) != len(grade_names):
            raise ValueError(
                f"eye {eye_id}: {len(grade_probabilities)} probabilities for the grades "
                f"{', '.join(grade_names)}"
            )
        record["grade_probabilities"] = np.asarray(grade_probabilities, np.float64)
    if probabilities is None:
        return record
    predicted = probabilities.argmax(axis=-1).astype(np.uint8)
    record["vcdr_pred"] = soft_vertical_cdr(probabilities)
    record["measures_pred"] = measure_disc(predicted, eye=eye, mm_per_pixel=mm_per_pixel)
    record["vcdr_sd"] = _spread(sample_ids)
    if mask is None or (mask == IGNORE).all():
        return record
    record["cup_is_told"] = cup_is_told = not inside_is_ignored(mask)
    truth = mask if cup_is_told else as_whole_disc(mask, predicted)
    try:
        record["confusion"] = segmentation.pixel_confusion(predicted, truth)
    except ValueError as error:
        raise ValueError(f"eye {eye_id}: {error}") from error
    record["vcdr_true"] = vertical_cdr(mask) if cup_is_told else float("nan")
    if cup_is_told:
        record["measures_true"] = measure_disc(mask, eye=eye, mm_per_pixel=mm_per_pixel)
    box = calibration.around_disc(mask)
    record["calibration"] = calibration.pixel_calibration(probabilities[box], mask[box])
    if uncertainty is not None:
        record["uncertainty_auroc"] = error_auroc(uncertainty[box], predicted[box], mask[box])
    return record


def inside_is_ignored(mask: np.ndarray) -> bool:
    """Whether a mask tells of the disc its outline alone: no cup, and ignored pixels within the rim.

    No cup marked is not "no cup" there (G1020), and a ratio of 0 would be false.

    Args:
      mask: (H, W) ids, 255 = ignore.
    """
    if (mask == CUP).any() or not (mask == IGNORE).any():
        return False
    return bool(_ignored_inside(mask).any())


def _ignored_inside(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool: ignored holes of the rim, which no way from the border leads to."""
    return ndimage.binary_fill_holes(mask == RIM) & (mask == IGNORE)


def as_whole_disc(mask: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """A mask whose inside is ignored, as one of a disc: there rim and cup are as predicted.

    Whether the inside is rim or cup is not known, that it is disc is. So the Dice of the disc is
    that of its whole area, and Dice of rim and cup mean nothing.

    Args:
      mask, predicted: (H, W) ids.
    """
    inside = np.where(predicted == CUP, CUP, RIM).astype(mask.dtype)
    return np.where(_ignored_inside(mask), inside, mask)


def dice_of(record: EyeRecord) -> dict[str, float]:
    """Dice of each region that is scored: none without a mask, the disc alone where no cup is told."""
    if record["confusion"] is None:
        return {}
    scored = REGIONS if record["cup_is_told"] else ("disc",)
    return {n: float(segmentation.region_dice(record["confusion"], REGIONS[n])) for n in scored}


def _spread(sample_ids: np.ndarray | None) -> float:
    """Standard deviation (n - 1) of the samples' vertical CDR; NaN below two measurable samples."""
    if sample_ids is None:
        return float("nan")
    ratios = np.array([vertical_cdr(ids) for ids in sample_ids])
    ratios = ratios[np.isfinite(ratios)]
    return float(ratios.std(ddof=1)) if len(ratios) > 1 else float("nan")


def eye_row(record: EyeRecord) -> dict[str, str | int | float | None]:
    """The record as one row of per_eye.csv; None (an empty cell) where it was not scored.

    Columns, the same for every eye: id, patient, dice_{rim,cup,disc}, vcdr_{true,pred,sd},
    grade_true, grade_pred, probability_ of each grade (early, mid_advanced, ...), and for true and pred those of
    RATIOS, and rim_* of RIMS in vertical disc diameters and rim_*_mm in mm (docs/measures.md).
    """
    row: dict[str, Any] = {"id": record["id"], "patient": record["patient"]}
    dice = dice_of(record)
    row |= {f"dice_{name}": dice.get(name) for name in REGIONS}
    for name in ("vcdr_true", "vcdr_pred", "vcdr_sd"):
        value = record[name]
        row[name] = None if value is None or np.isnan(value) else float(value)
    probabilities = record["grade_probabilities"]
    row["grade_true"] = record["grade"]
    row["grade_pred"] = None if probabilities is None else int(np.argmax(probabilities))
    for k, name in enumerate(record["grade_names"]):
        column = f"probability_{name.replace('/', '_')}"
        row[column] = None if probabilities is None else float(probabilities[k])
    return row | _measures_row(record, "true") | _measures_row(record, "pred")


def _measures_row(record: EyeRecord, kind: str) -> dict[str, float | bool | None]:
    measures: DiscMeasures | None = record[f"measures_{kind}"]
    values = {} if measures is None else measures.to_json()
    rims, rims_mm = (values.get(name) or {} for name in ("rim_width", "rim_width_mm"))
    return {
        **{f"{name}_{kind}": values.get(name) for name in RATIOS},
        **{f"rim_{name}_{kind}": rims.get(name) for name in RIMS},
        **{f"rim_{name}_mm_{kind}": rims_mm.get(name) for name in RIMS},
    }

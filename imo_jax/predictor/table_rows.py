"""What a result says as one row of a table: `predictions.csv` of --mode=predict."""

from typing import Any

from imo_jax.metrics.imo_eye import RIMS
from imo_jax.predictor.eye_result import EyeResult
from imo_jax.predictor.volume_result import VolumeResult

SEPARATOR = "; "  # between the warnings of a cell

_OF_DISC = ("horizontal_cdr", "area_cdr", "disc_area_px", "cup_area_px", "disc_area_mm2",
            "cup_area_mm2", "disc_height_mm", "isnt")  # fmt: skip


def eye_row(result: EyeResult) -> dict[str, Any]:
    """The row of an eye; None (an empty cell) where a number is not defined.

    The columns are those of the network, the same for each of its eyes: `eye`, its side; of one that
    grades `grade`, `probability_<grade>` and `grade_set`; of one that segments `vertical_cdr` with
    `_low`, `_high` and `_coverage` of its interval, the other ratios, areas, `rim_<sector>` in
    vertical disc diameters and `rim_<sector>_mm` (docs/measures.md); and `warnings`.
    """
    row: dict[str, Any] = {"eye": result.eye}
    if result.grade is not None:
        kept = result.grade_set
        row["grade"] = result.grade
        for name, probability in result.grade_probabilities.items():
            row[f"probability_{name.replace('/', '_')}"] = probability
        row["grade_set"] = None if kept is None else SEPARATOR.join(kept)
    if (ratio := result.vertical_cdr) is not None:
        row |= {
            "vertical_cdr": ratio.value,
            "vertical_cdr_low": ratio.low,
            "vertical_cdr_high": ratio.high,
            "vertical_cdr_coverage": ratio.coverage,
            **_disc_cells(result),
        }
    return row | {"warnings": SEPARATOR.join(result.warnings)}


def _disc_cells(result: EyeResult) -> dict[str, Any]:
    found = {} if result.measures is None else result.measures.to_json()
    rim, rim_mm = (found.get(name) or {} for name in ("rim_width", "rim_width_mm"))
    return {
        "mm_per_pixel": result.mm_per_pixel,
        **{name: found.get(name) for name in _OF_DISC},
        **{f"rim_{name}": rim.get(name) for name in RIMS},
        **{f"rim_{name}_mm": rim_mm.get(name) for name in RIMS},
    }


def volume_row(result: VolumeResult) -> dict[str, Any]:
    """The row of an OCT volume; `vfi` (percent), `md` and `psd` (dB) where they are regressed."""
    return {
        "glaucoma_probability": result.probability,
        "glaucoma": result.glaucoma,
        "threshold_of_validation": result.threshold,
        **(result.visual_field or {}),
        "b_scans": result.num_scans,
        "warnings": SEPARATOR.join(result.warnings),
    }

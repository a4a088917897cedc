"""The report of an evaluation on eyes: what is shown of its scores, and the same as text."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imo_jax.metrics.imo_eye import EyeRecord
from imo_jax.metrics.imo_summary import (
    grade_bins,
    grade_confusion,
    grade_names_of,
    has_grade,
    has_mask,
    imo_summary,
    pixel_bins,
)
from imo_jax.report import eye_cards
from imo_jax.report.cards import gallery_section
from imo_jax.report.charts import UNIT, Axis, Series, chart
from imo_jax.report.evaluation import Content
from imo_jax.report.figures import (
    Curve,
    calibration_figure,
    confusion_matrix,
    learning_curves,
    roc_figure,
)
from imo_jax.report.page import Figure, Section, Table
from imo_jax.report.score_table import BY_SOURCE, columns_of, score_lines, score_table
from imo_jax.report.seed_means import cell

# The scores that are shown: key of the summary -> what to call it.
SCORES = {
    "micro_dice_background": "micro Dice background (paper)",
    "micro_dice_rim": 'micro Dice rim (paper\'s "optic disc")',
    "micro_dice_cup": "micro Dice cup (paper)",
    "micro_mdice": "mDice of 3 classes (paper)",
    "disc_dice": "whole-disc Dice per eye",
    "cup_dice": "cup Dice per eye",
    "vcdr_mae": "vertical CDR, mean absolute error",
    "pixel_ece": "calibration error, pixels near disc",
    "accuracy": "grade accuracy",
    "macro_precision": "grade macro precision",
    "macro_recall": "grade macro recall",
    "macro_f1": "grade macro F1",
    "qwk": "grade quadratic-weighted kappa",
    "referable_auc": "AUC, glaucoma against normal",
    "sensitivity_at_90_specificity": "sensitivity at 90 % specificity",
    "sensitivity_at_95_specificity": "sensitivity at 95 % specificity",
    "grade_ece": "calibration error, grade",
    "cdr_interval_coverage": "90 % intervals holding the vertical CDR",
    "grade_set_coverage": "90 % sets holding the grade",
    "grade_set_size": "grades in a 90 % set",
}
# Scores on the validation split whose curves are shown: key -> what to call it.
CURVES = {"score": "what chooses the checkpoint", "disc_dice": "disc Dice", "cup_dice": "cup Dice",
          "qwk": "kappa", "vcdr_mae": "vertical ratio error"}  # fmt: skip
OF_GROUPS = {"disc_dice": "disc Dice", "cup_dice": "cup Dice", "vcdr_mae": "vertical ratio error",
             "accuracy": "grade accuracy", "qwk": "kappa", "referable_auc": "AUC"}  # fmt: skip
LIMITS = (
    "Grades and shapes of photographs that are dark, blurred or without a disc mean nothing. The "
    "spread over samples shows how much the network's own noise matters, not how wrong it may be."
)
GALLERY = (
    "Each test eye at its disc: blue the disc, yellow the cup; dotted white the truth. Where an eye "
    "has a slider it shows what each denoising step predicts. A picture enlarges when it is pressed.",
)


def eye_content(
    summary: Mapping[str, Any],
    records: Sequence[EyeRecord],
    cards: Sequence[dict[str, Any]],
    *,
    curves: Sequence[Curve],
    counts: Mapping[str, Any],
    grade_names: Sequence[str],
    own_grades: Sequence[str],
) -> Content:
    """What a report shows of an evaluation on eyes.

    Args:
      summary: `imo_summary` of the network, and beside it `baseline`, `controls` and what was run.
      records: of the test eyes.
      cards: of these eyes, from `eye_card`.
      curves: of CURVES, from the training's validations.
      counts: split -> numbers of its eyes (data_pipelines.load.counts.Counts).
      grade_names: of the grades that are scored.
      own_grades: names of the grades that the network was trained on.
    """
    return Content(
        network=summary["network"],
        noun="eyes",
        count=f"{summary['num_eyes']} {summary['split']} eyes of {summary['num_patients']} patients",
        how_to_read=score_text(summary),
        scores=score_table(summary["network"], summary, beside(summary), SCORES),
        plots=[*grade_figures(records), *shape_figures(records)],
        curves=learning_curves(curves),
        gallery=gallery_section(
            "eyes",
            GALLERY,
            cards,
            orders=eye_cards.ORDERS,
            groups=eye_cards.group_names(grade_names),
            layers=eye_cards.LAYERS,
            off=("heat",),
        ),
        data=data_section(counts, grade_names),
        facts=(
            [("grades of the network", ", ".join(own_grades))],
            [("samples an eye", str(summary["samples"]))],
        ),
        group_scores=group_scores,
        who=lambda record: (record["id"], record["patient"]),
        limits=LIMITS,
    )


def beside(summary: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What stands beside a network's scores: the baseline, the controls, each data set alone."""
    others = {"baseline": summary["baseline"], **summary.get("controls", {})}
    return columns_of(summary, others)


def scores_in_text(summary: Mapping[str, Any]) -> str:
    """The scores as text: the network with its intervals, the baseline and the controls."""
    head = (
        f"{summary['num_eyes']} {summary['split']} eyes of {summary['num_patients']} patients, "
        f"{summary['manifest']} (checkpoint of step {summary['checkpoint_step']})"
    )
    lines = score_lines(
        summary, beside(summary), SCORES,
        title=summary["network"], value="value", widths=(38, 6, 15, 9),
    )  # fmt: skip
    return "\n".join([head, *lines, *missed_discs(summary)])


def missed_discs(summary: Mapping[str, Any]) -> list[str]:
    """What the error of the vertical ratio is of eyes whose disc was not found; nothing where all were."""
    if not (missed := summary["num_discs_missed"]):
        return []
    return [
        f"No disc was found in {missed} of {summary['num_eyes_with_mask']} eyes with a mask: their vertical "
        "ratio counts as 0 in the mean absolute error, and is empty in per_eye.csv."
    ]


def score_text(summary: Mapping[str, Any]) -> list[str]:
    """How to read the scores."""
    text = [
        "Intervals are of 95 %, by patient bootstrap. Baseline: the mean disc at the mean "
        "place and the commonest grade of the training split."
    ]
    text += missed_discs(summary)
    text += [BY_SOURCE] * bool(summary.get("by_source"))
    if summary.get("grade_map"):
        text.append(summary["grade_map"])
    if summary["controls"]:
        names = ", ".join(name.replace("_", " ") for name in summary["controls"])
        text.append(
            f"Controls ({names}): the same network with something taken from it; where one scores "
            "alike, what was taken brings nothing."
        )
    return text


def grade_figures(records: Sequence[EyeRecord]) -> list[Figure]:
    """Confusion, ROC and calibration of the grades."""
    graded = [record for record in records if has_grade(record)]
    if not graded:
        return []
    truth = np.array([record["grade"] for record in graded])
    score = np.array([1 - record["grade_probabilities"][0] for record in graded])
    figures = [Figure(confusion_matrix(grade_confusion(graded), grade_names_of(graded)),
                      "Grades: eyes by true grade (row) and predicted grade (column)")]  # fmt: skip
    if 0 < (truth > 0).sum() < len(truth):
        figures.append(roc_figure({"glaucoma": (score, truth > 0)}, "glaucoma of any grade"))
    figures.append(calibration_figure({"grade": grade_bins(graded)}, "the grade"))
    return figures


def shape_figures(records: Sequence[EyeRecord]) -> list[Figure]:
    """True against predicted vertical ratio, and calibration of the pixels."""
    masked = [r for r in records if has_mask(r) and np.isfinite(r["vcdr_true"])]
    if not masked:
        return []
    true, found, spread = (
        np.array([r[name] for r in masked], float) for name in ("vcdr_true", "vcdr_pred", "vcdr_sd")
    )
    spread = np.nan_to_num(spread)
    labels = [f"{r['id']}: true {t:.2f}, predicted {p:.2f}"
              for r, t, p in zip(masked, true, found, strict=True)]  # fmt: skip
    title = "Vertical cup-to-disc ratio of each eye; bars: standard deviation over samples"
    series = [
        Series("", true, found, "bars", low=found - spread, high=found + spread),
        Series("", true, found, "points", labels),
    ]
    axes = Axis("true vertical ratio", *UNIT), Axis("predicted vertical ratio", *UNIT)
    return [
        Figure(chart(series, *axes, title=title, diagonal=True), title),
        calibration_figure({"pixels": pixel_bins(records)}, "the pixels near the disc"),
    ]


def data_section(counts: Mapping[str, Any], grade_names: Sequence[str]) -> Section:
    """Counts by split and grade; arguments as eye_content."""
    columns = ["split", "eyes", "patients", "with mask", "with OCT", *grade_names, "no grade"]
    rows = []
    for split, c in counts.items():
        numbers = (c.eyes, c.patients, c.masks, c.oct, *c.grades, c.eyes - sum(c.grades))
        rows.append((split or "none", *map(str, numbers)))
    return Section("data", "Data", table=Table(columns, rows))


def group_scores(records: Sequence[EyeRecord], resamples: int) -> dict[str, str]:
    """Scores of a group of eyes with their intervals; - where none of them defines one."""
    summary = imo_summary(records, resamples=resamples)
    return {name: cell(summary[key]) for key, name in OF_GROUPS.items()}

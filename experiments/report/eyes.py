"""The report of an evaluation on eyes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from data_pipelines.load.stores import Store
from experiments import validation_log
from experiments.report.evaluation import Content, evaluation_report
from experiments.saved_run import TrainedRun
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
from imo_jax.report.figures import (
    calibration_figure,
    confusion_matrix,
    learning_curves,
    roc_figure,
)
from imo_jax.report.page import Figure, Section, Table
from imo_jax.report.score_table import BY_SOURCE, columns_of, score_table
from imo_jax.report.seed_means import cell

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


def eyes_report(
    run: TrainedRun,
    store: Store,
    summary: dict[str, Any],
    records: Sequence[EyeRecord],
    cards: Sequence[dict[str, Any]],
    *,
    scores: dict[str, str],
    seconds: float,
) -> str:
    """The HTML of the report.

    Args:
      run, store, summary, records, seconds: see `evaluation_report`.
      cards: of its eyes, from `eye_card`.
      scores: key of the summary -> what to call it.
    """
    others = {"baseline": summary["baseline"], **summary.get("controls", {})}
    others = columns_of(summary, others)
    curves = [(name, run.folder.validation, column) for column, name in CURVES.items()]
    content = Content(
        network=summary["network"],
        noun="eyes",
        count=f"{summary['num_eyes']} {summary['split']} eyes of {summary['num_patients']} patients",
        how_to_read=score_text(summary),
        scores=score_table(summary["network"], summary, others, scores),
        plots=[*grade_figures(records), *shape_figures(records)],
        curves=learning_curves(validation_log.curves(curves)),
        gallery=gallery_section(
            "eyes",
            GALLERY,
            cards,
            orders=eye_cards.ORDERS,
            groups=eye_cards.group_names(store.grade_names),
            layers=eye_cards.LAYERS,
            off=("heat",),
        ),
        data=data_section(store),
        facts=(
            [("grades of the network", ", ".join(run.config.data.grade_names))],
            [("samples an eye", str(summary["samples"]))],
        ),
        group_scores=group_scores,
        who=lambda record: (record["id"], record["patient"]),
        limits=LIMITS,
    )
    return evaluation_report(run, store, summary, records, content, seconds)


def score_text(summary: dict[str, Any]) -> list[str]:
    """How to read the scores."""
    text = [
        "Intervals are of 95 %, by patient bootstrap. Baseline: the mean disc at the mean "
        "place and the commonest grade of the training split."
    ]
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


def data_section(store: Store) -> Section:
    """Counts by split and grade."""
    columns = ["split", "eyes", "patients", "with mask", "with OCT", *store.grade_names, "no grade"]
    rows = []
    for split in store.splits:
        known, grades = store.has_grade(split), store.grades(split)
        counts = [int((known & (grades == k)).sum()) for k in range(len(store.grade_names))]
        labels = [int(has(split).sum()) for has in (store.has_mask, store.has_oct)]
        patients = len(set(store.patients(split)))
        parts = (store.num(split), patients, *labels, *counts, int((~known).sum()))
        rows.append((split or "none", *map(str, parts)))
    return Section("data", "Data", table=Table(columns, rows))


def group_scores(records: Sequence[EyeRecord], resamples: int) -> dict[str, str]:
    """Scores of a group of eyes with their intervals; - where none of them defines one."""
    summary = imo_summary(records, resamples=resamples)
    return {name: cell(summary[key]) for key, name in OF_GROUPS.items()}

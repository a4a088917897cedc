"""The report of an evaluation on OCT volumes: what is shown of its scores, and the same as text."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imo_jax import visual_field
from imo_jax.labels import SCREENING_NAMES
from imo_jax.metrics import binary
from imo_jax.metrics.screening import VolumeRecord
from imo_jax.metrics.screening_summary import (
    LEVELS,
    THRESHOLD,
    Thresholds,
    probability_bins,
    scores_and_classes,
    screening_summary,
)
from imo_jax.report import volume_cards
from imo_jax.report.cards import gallery_section
from imo_jax.report.charts import Series, chart, spanning
from imo_jax.report.evaluation import Content
from imo_jax.report.figures import (
    calibration_figure,
    confusion_matrix,
    roc_figure,
)
from imo_jax.report.page import Figure, Section, Table
from imo_jax.report.score_table import BY_SOURCE, columns_of, score_lines, score_table
from imo_jax.report.seed_means import cell

# The scores that are shown: key of the summary -> what to call it.
SCORES = {
    **{
        f"{level}_{name}": f"{level} level: {title}"
        for level in ("image", "case")
        for name, title in {
            "accuracy": "accuracy",
            "f1": "F1",
            "auc": "AUC",
            "sensitivity_at_90_specificity": "sensitivity at 90 % specificity",
            "sensitivity_at_95_specificity": "sensitivity at 95 % specificity",
            "ece": "calibration error",
            "brier": "Brier score",
            "accuracy_at_chosen": "accuracy, threshold of validation",
            "f1_at_chosen": "F1, threshold of validation",
        }.items()
    },
    **{
        f"{index}_{name}": f"{index.upper()}: {title}"
        for index in visual_field.INDICES
        for name, title in {
            "r": "Pearson r",
            "mae": f"mean absolute error ({visual_field.UNITS[index]})",
            "rmse": f"root mean square error ({visual_field.UNITS[index]})",
        }.items()
    },
}
LEVEL_NAMES = {"image": "image level (a volume)", "case": "case level (an eye visit)"}
# Scores on the validation split whose curves are shown: key -> what to call it.
CURVES = {"case_brier": "Brier score of a case", "case_auc": "AUC of a case",
          "image_accuracy": "accuracy of a volume", "vfi_r": "r of the VFI", "md_r": "r of the MD",
          "psd_r": "r of the PSD"}  # fmt: skip
OF_GROUPS = {"image_accuracy": "accuracy", "image_auc": "AUC", "image_brier": "Brier score",
             "md_mae": "MD, mean absolute error (dB)"}  # fmt: skip
LIMITS = (
    "Activation maps show where the network found its evidence, not that the evidence is right. A "
    "visual field that is estimated from structure is no measurement of function; surrogate fields "
    "were borrowed from other eyes for training alone, all scores are of measured ones."
)
GALLERY = (
    "Each test volume: move the slider for B-scans, among them the one with the strongest evidence. "
    "Red speaks for glaucoma, blue against; all volumes share one scale of colours. A picture "
    "enlarges when it is pressed.",
)


def volume_content(
    summary: Mapping[str, Any],
    records: Sequence[VolumeRecord],
    cards: Sequence[dict[str, Any]],
    *,
    curves: Sequence[Figure],
    counts: Mapping[str, Any],
) -> Content:
    """What a report shows of an evaluation on OCT volumes.

    Args:
      summary: `screening_summary` of the network, and beside it `baseline` and what was run.
      records: of the test volumes.
      cards: of these volumes, from `volume_card`.
      curves: learning curves, of both stages where there were two.
      counts: split -> numbers of its volumes (data_pipelines.load.screening_counts.ScreeningCounts).
    """
    others = columns_of(summary, {"majority class": summary["baseline"]})
    return Content(
        network=summary["method"],
        noun="volumes",
        count=f"{summary['num_volumes']} {summary['split']} volumes of {summary['num_cases']} eye "
        f"visits of {summary['num_patients']} patients",
        how_to_read=score_text(summary),
        scores=score_table(summary["method"], summary, others, SCORES),
        plots=[*class_figures(records, summary["chosen_thresholds"]), *field_figures(records)],
        curves=curves,
        gallery=gallery_section(
            "volumes",
            GALLERY,
            cards,
            orders=volume_cards.ORDERS,
            groups=volume_cards.GROUPS,
            layers=volume_cards.LAYERS,
        ),
        data=data_section(counts),
        facts=([("training volumes", summary["train_subset"])], ()),
        group_scores=group_scores,
        who=lambda record: (record.id, record.patient),
        limits=LIMITS,
    )


def scores_in_text(summary: Mapping[str, Any]) -> str:
    """The scores as text: the network with its intervals, and the majority class."""
    head = (
        f"{summary['num_volumes']} {summary['split']} volumes of {summary['num_cases']} eye visits "
        f"of {summary['num_patients']} patients, {summary['manifest']} "
        f"(checkpoint of step {summary['checkpoint_step']})"
    )
    others = columns_of(summary, {"majority": summary["baseline"]})
    lines = score_lines(
        summary, others, SCORES, title="", value=summary["method"], widths=(46, 12, 17, 8)
    )
    mind = [f"mind: {summary['circular']}"] if summary["circular"] else []
    return "\n".join([head, *lines, *mind])


def score_text(summary: Mapping[str, Any]) -> list[str]:
    """How to read the scores."""
    chosen = summary["chosen_thresholds"]
    text = (
        "Intervals are of 95 %, by patient bootstrap. Image level: a volume; case level: the mean "
        "over the volumes of an eye visit. Majority class: every volume is said to be as the "
        "training split is on average. Glaucoma is called from a probability of 0.5 on"
    )
    if chosen is not None:
        points = ", ".join(f"{level} {value:.2f}" for level, value in chosen.items())
        text += f", and from the threshold that validation chose by F1 ({points})"
    said = [f"{text}.", *[BY_SOURCE] * bool(summary.get("by_source"))]
    if summary.get("circular"):
        said.append(f"Mind: {summary['circular']}.")
    return said


def class_figures(
    records: Sequence[VolumeRecord], thresholds: Thresholds | None
) -> list[Figure]:
    """Confusion, ROC and calibration of the class, at both levels."""
    scores = {level: scores_and_classes(group(records)) for level, group in LEVELS.items()}
    figures = [
        Figure(
            confusion_matrix(binary.confusion(*of_level, THRESHOLD).sum(axis=0), SCREENING_NAMES),
            f"{LEVEL_NAMES[level].capitalize()}: by true class (row) and called class (column), "
            f"threshold {THRESHOLD}",
        )
        for level, of_level in scores.items()
    ]
    bins = {level: probability_bins(group(records)) for level, group in LEVELS.items()}
    return [
        *figures,
        roc_figure(scores, "glaucoma", operating_points(scores, thresholds)),
        calibration_figure(bins, "P(glaucoma)"),
    ]


def operating_points(
    scores: dict[str, tuple[np.ndarray, np.ndarray]], thresholds: Thresholds | None
) -> list[Series]:
    """Where decisions are reported on the ROC curves: at 0.5, and where validation chose."""
    marks = {f"threshold {THRESHOLD}": dict.fromkeys(scores, THRESHOLD)}
    if thresholds is not None:
        marks["threshold of validation"] = dict(thresholds)
    series = []
    for name, of_level in marks.items():
        matrices = [binary.confusion(*scores[k], t).sum(axis=0) for k, t in of_level.items()]
        x = [1 - float(binary.specificity(m)) for m in matrices]
        y = [float(binary.sensitivity(m)) for m in matrices]
        labels = [f"{level}, threshold {t:.2f}" for level, t in of_level.items()]
        series.append(Series(name, x, y, "points", labels))
    return series


def field_figures(records: Sequence[VolumeRecord]) -> list[Figure]:
    """Predicted against measured visual field, an index each; [] of a network without."""
    figures = []
    for j, index in enumerate(visual_field.INDICES):
        pairs = [
            (record, float(record.vf_measured[j]), float(record.vf_predicted[j]))
            for record in records
            if record.vf_predicted is not None and np.isfinite(record.vf_measured[j])
        ]
        if pairs:
            figures.append(_field_figure(index, pairs))
    return figures


def _field_figure(index: str, pairs: Sequence[tuple[VolumeRecord, float, float]]) -> Figure:
    """Of one index: volumes with their measured and predicted value."""
    unit, symbol = visual_field.UNITS[index], index.upper()
    series = []
    for label, name in enumerate(SCREENING_NAMES):
        own = [pair for pair in pairs if pair[0].glaucoma == label]
        said = [f"{r.id}: measured {t:.1f}, predicted {p:.1f}" for r, t, p in own]
        measured, predicted = [t for _, t, _ in own], [p for _, _, p in own]
        series.append(Series(name, measured, predicted, "points", said))
    values = [pair[1:] for pair in pairs]
    x, y = (spanning(f"{word} {symbol} ({unit})", values) for word in ("measured", "predicted"))
    title = f"{symbol}: {visual_field.TITLES[index]} of {len(pairs)} volumes, predicted and measured"
    return Figure(chart(series, x, y, title=title, diagonal=True), title)


def data_section(counts: Mapping[str, Any]) -> Section:
    """Counts by split; argument as volume_content."""
    columns = ["split", "volumes", "patients", "eye visits", "glaucoma", "with visual field",
               "B-scans looked at"]  # fmt: skip
    rows = [
        (
            split or "none",
            *map(str, (c.volumes, c.patients, c.cases, c.glaucoma, c.with_field, c.scans or "–")),
        )
        for split, c in counts.items()
    ]
    return Section("data", "Data", table=Table(columns, rows))


def group_scores(records: Sequence[VolumeRecord], resamples: int) -> dict[str, str]:
    """Scores of a group of volumes with their intervals; - where none of them defines one."""
    summary = screening_summary(records, resamples=resamples)
    return {name: cell(summary[key]) for key, name in OF_GROUPS.items()}

"""The report of an evaluation on eyes."""

import pathlib
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from data_pipelines.load.stores import Store
from experiments import validation_log
from experiments.report import gallery
from experiments.report.charts import UNIT, Axis, Series, chart, spanning
from experiments.report.model_card import card_section
from experiments.report.page import Figure, Gallery, Section, Table, render
from experiments.report.run_facts import made, run_section
from experiments.trained_run import TrainedRun
from imo_jax.labels import GRADE_NAMES
from imo_jax.metrics import calibration, ranking
from imo_jax.metrics.imo_eye import EyeRecord
from imo_jax.metrics.imo_summary import (
    grade_bins,
    grade_confusion,
    has_grade,
    has_mask,
    imo_summary,
    pixel_bins,
)

CURVES = {"score": "what chooses the checkpoint", "disc_dice": "disc Dice", "cup_dice": "cup Dice",
          "qwk": "kappa", "vcdr_mae": "vertical ratio error"}  # fmt: skip
OF_GROUPS = {"disc_dice": "disc Dice", "cup_dice": "cup Dice", "vcdr_mae": "vertical ratio error",
             "accuracy": "grade accuracy", "qwk": "kappa"}  # fmt: skip


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
      run: that was evaluated.
      store: its eyes.
      summary: of the evaluation.
      records: of its eyes.
      cards: of its eyes, from `gallery.eye_card`.
      scores: key of the summary -> what to call it.
      seconds: that the evaluation took.
    """
    count = f"{summary['num_eyes']} {summary['split']} eyes of {summary['num_patients']} patients"
    sections = [
        Section("scores", "Scores", score_text(summary), score_table(summary, scores)),
        Section("plots", "Plots", figures=[*grade_figures(records), *shape_figures(records)]),
        Section("training", "Training", figures=learning_curves(run.folder.validation)),
        gallery_section(cards),
        data_section(store),
        run_section(run.config, run_facts(run, summary), seconds),
        card_section(trained_on(run, store), run.config.data.manifest, records, group_scores),
    ]
    title = f"{summary['network']} on {count}"
    subtitle = f"{summary['manifest']}, checkpoint of step {summary['checkpoint_step']}"
    return render(title, subtitle, sections, made())


def score_text(summary: dict[str, Any]) -> list[str]:
    """How to read the scores."""
    text = [
        "Intervals are of 95 %, by patient bootstrap. Baseline: the mean disc at the mean "
        "place and the commonest grade of the training split."
    ]
    if summary["controls"]:
        names = ", ".join(name.replace("_", " ") for name in summary["controls"])
        text.append(
            f"Controls ({names}): the same network with something taken from it; where one scores "
            "alike, what was taken brings nothing."
        )
    return text


def score_table(summary: dict[str, Any], scores: dict[str, str]) -> Table:
    """Each score that is defined: the network's with its interval, then baseline and controls."""
    others = {"baseline": summary["baseline"], **summary.get("controls", {})}
    columns = ["score", summary["network"], "95 % interval", *(n.replace("_", " ") for n in others)]
    rows = [
        (
            name,
            f"{value['value']:.3f}",
            f"{value['low']:.3f} to {value['high']:.3f}",
            *(_number(other.get(key)) for other in others.values()),
        )
        for key, name in scores.items()
        if (value := summary.get(key)) is not None
    ]
    return Table(columns, rows)


def _number(value: dict[str, float] | None) -> str:
    return "–" if value is None or not np.isfinite(value["value"]) else f"{value['value']:.3f}"


def grade_figures(records: Sequence[EyeRecord]) -> list[Figure]:
    """Confusion, ROC and calibration of the grades."""
    graded = [record for record in records if has_grade(record)]
    if not graded:
        return []
    truth = np.array([record["grade"] for record in graded])
    score = np.array([1 - record["grade_probabilities"][0] for record in graded])
    figures = [Figure(confusion_matrix(grade_confusion(graded), GRADE_NAMES),
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


def confusion_matrix(counts: np.ndarray, names: Sequence[str]) -> str:
    """(G, G) counts -> an HTML table whose cells are shaded by their share of the row."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = []
    for name, row in zip(names, counts, strict=True):
        total = max(int(row.sum()), 1)
        cells = "".join(f'<td style="--share: {n / total:.3f}">{n}</td>' for n in row)
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    return (
        f'<table class="matrix"><thead><tr><th>true \\ predicted</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def roc_figure(scores: dict[str, tuple[np.ndarray, np.ndarray]], what: str) -> Figure:
    """ROC curves: name -> score and whether it is positive."""
    series, said = [], []
    for name, (score, positive) in scores.items():
        series.append(Series(name, *ranking.roc_curve(score, positive)))
        said.append(f"{name} {float(ranking.auc(score, positive)):.3f}")
    title = f"ROC of {what}; area under the curve: {', '.join(said)}"
    axes = Axis("1 - specificity", *UNIT), Axis("sensitivity", *UNIT)
    return Figure(chart(series, *axes, title=title, diagonal=True), title)


def calibration_figure(bins: dict[str, np.ndarray], what: str) -> Figure:
    """Reliability diagram: name -> sums of `calibration_bins`."""
    series = []
    for name, sums in bins.items():
        confidence, accuracy, count = calibration.reliability_curve(sums)
        labels = [f"{int(n)} at {c:.2f}: {a:.2f} right"
                  for n, c, a in zip(count, confidence, accuracy, strict=True)]  # fmt: skip
        series += [
            Series(name, confidence, accuracy),
            Series("", confidence, accuracy, "points", labels),
        ]
    title = f"Calibration of {what}: on the diagonal what is said with 80 % is right in 80 %"
    axes = Axis("probability given", *UNIT), Axis("share that is right", *UNIT)
    return Figure(chart(series, *axes, title=title, diagonal=True), title)


def learning_curves(file: pathlib.Path) -> list[Figure]:
    """Validation scores by step, as far as they are defined."""
    if not file.exists():
        return []
    table = validation_log.read(file)
    names = [name for name in CURVES if name in table and table[name].notna().any()]
    if not names:
        return []
    series = [Series(CURVES[name], table["step"], table[name]) for name in names]
    axes = spanning("step", [0], table["step"]), spanning("score", table[names].to_numpy())
    title = "Scores on the validation split by train step"
    return [Figure(chart(series, *axes, title=title), title)]


def gallery_section(cards: Sequence[dict[str, Any]]) -> Section:
    """The gallery of eyes."""
    if not cards:
        return Section("eyes", "Eyes")
    text = [
        "Each test eye at its disc: blue the disc, yellow the cup; dotted white the truth. Where "
        "an eye has a slider it shows what each denoising step predicts. A picture enlarges when "
        "it is pressed."
    ]
    shown = Gallery(
        cards,
        gallery.orders_known(cards, gallery.ORDERS),
        gallery.group_names(cards),
        gallery.layers_known(cards, gallery.LAYERS),
    )
    return Section("eyes", "Eyes", text, gallery=shown)


def data_section(store: Store) -> Section:
    """Counts by split and grade."""
    columns = ["split", "eyes", "patients", "with mask", "with OCT", *GRADE_NAMES, "no grade"]
    rows = []
    for split in store.splits:
        known, grades = store.has_grade(split), store.grades(split)
        counts = [int((known & (grades == k)).sum()) for k in range(len(GRADE_NAMES))]
        labels = [int(has(split).sum()) for has in (store.has_mask, store.has_oct)]
        patients = len(set(store.patients(split)))
        parts = (store.num(split), patients, *labels, *counts, int((~known).sum()))
        rows.append((split or "none", *map(str, parts)))
    return Section("data", "Data", table=Table(columns, rows))


def run_facts(run: TrainedRun, summary: dict[str, Any]) -> list[tuple[str, str]]:
    """What only an evaluation on eyes knows of its run."""
    return [
        ("run folder", str(run.folder.root)),
        ("manifest", summary["manifest"]),
        ("network", f"{summary['network']}, {parameters(run.variables):,} parameters"),
        ("checkpoint", f"step {summary['checkpoint_step']} of {run.config.loop.train_steps}"),
        ("samples an eye", str(summary["samples"])),
        ("pretrained weights", run.config.pretrained or "none"),
    ]


def parameters(variables: Any) -> int:
    """Number of learned values in a tree of arrays."""
    params = variables["params"]
    return sum(
        parameters({"params": v}) if isinstance(v, dict) else np.size(v) for v in params.values()
    )


def trained_on(run: TrainedRun, store: Store) -> str:
    """A sentence on the training data."""
    eyes, patients = store.num("train"), len(set(store.patients("train")))
    validation = store.num("val")
    chosen = f"checkpoint chosen on {validation} validation eyes"
    if not validation:
        chosen = "no validation eyes and no choice of a checkpoint"
    return (
        f"Data: trained on the {eyes} train eyes of {patients} patients of "
        f"{run.config.data.manifest}, {chosen}, "
        f"scored on {store.num('test')} test eyes. No patient is in two splits."
    )


def group_scores(records: Sequence[EyeRecord]) -> dict[str, str]:
    """Point scores of a group of eyes; – where none of them defines one."""
    summary = imo_summary(records, resamples=1)
    return {name: _number(summary[key]) for key, name in OF_GROUPS.items()}

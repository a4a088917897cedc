"""SEMT's table, of rows that were trained and scored: as words, numbers, a picture and a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imo_jax import visual_field
from imo_jax.metrics.screening import VolumeRecord
from imo_jax.metrics.screening_summary import scores_and_classes, screening_difference
from imo_jax.report.figures import Curve, interval_figure, learning_curves, roc_figure
from imo_jax.report.page import Figure, Section, Table
from imo_jax.report.seed_means import (
    SEEDS_IN_WORDS,
    cell,
    difference_cell,
    in_markdown,
    over_seeds,
)
from imo_jax.report.volume_report import SCORES
from imo_jax.visualisation.plots import interval_points

LEVELS = ("image", "case")
NAMES = {"accuracy": "accuracy", "f1": "F1", "auc": "AUC"}
KEYS = tuple(f"{level}_{score}" for level in LEVELS for score in NAMES)
FIELD_KEYS = tuple(f"{index}_{name}" for index in visual_field.INDICES for name in ("r", "mae"))
COMPARED = ("image_accuracy", "image_auc", "case_accuracy", "case_auc")
# Scores that have a chart of their own.
CHARTS = ("image_accuracy", "image_auc", "case_accuracy", "case_auc", "vfi_mae", "md_mae", "psd_mae")


@dataclass(frozen=True)
class FinishedRow:
    """A row whose runs are all scored.

    Attributes:
      name: of the row.
      title: what the table calls it.
      paper: the paper's figures at both levels: accuracy, F1, AUC each.
      summaries: of each seed, from `screening_summary`.
      records: of each seed, the test volumes in one order for all rows.
      parameters: of the network.
      seconds: of each seed's training and evaluation.
      curves: what chose the checkpoint of seed 0, by step; () where there is none.
    """

    name: str
    title: str
    paper: Sequence[Sequence[float]]
    summaries: Sequence[dict[str, Any]]
    records: Sequence[Sequence[VolumeRecord]]
    parameters: int
    seconds: Sequence[float]
    curves: Sequence[Curve] = ()


Rows = Sequence[FinishedRow]
Claims = Sequence[tuple[str, str]]  # names of rows: better, worse


def heading(rows: Rows, manifest: str) -> str:
    """Which data set, how much of it, and how to read the intervals."""
    one = rows[0].summaries[0]
    return (
        f"Data set: {manifest}; test split: {one['num_volumes']} volumes (image level) of "
        f"{one['num_cases']} eye visits (case level) of {one['num_patients']} patients; mean of "
        f"{len(rows[0].summaries)} seeds. In brackets the 95 % interval by patient bootstrap (its "
        "ends averaged over the seeds). Paper: Wang et al. 2019, another data set."
    )


def in_words(rows: Rows, claims: Claims, manifest: str) -> str:
    """The table as Markdown; arguments as sections_of."""
    tables = [scores_table(rows), fields_table(rows), claims_table(rows, claims)]
    return "\n\n".join([heading(rows, manifest), *map(in_markdown, tables)])


def sections_of(rows: Rows, claims: Claims, manifest: str) -> list[Section]:
    """The sections of the table's page; a table without lines is left out.

    Args:
      rows: finished ones, at least one, of as many seeds each.
      claims: what the paper says holds.
      manifest: of the data.
    """
    tables = [scores_table(rows), fields_table(rows), claims_table(rows, claims)]
    return [
        Section("setting", "What is compared", [heading(rows, manifest)]),
        *(section for section in tables if section.table is not None and section.table.rows),
        Section("intervals", "Scores with their intervals", figures=score_figures(rows)),
        Section("curves", "Curves of seed 0", figures=curve_figures(rows)),
    ]


def intervals_picture(rows: Rows, title: str) -> np.ndarray:
    """(height, width, 3) uint8: the scores of the classes with their intervals."""
    points = {
        row.title: {key.replace("_", " "): over_seeds(row.summaries, key) for key in KEYS}
        for row in rows
    }
    return interval_points(points, title=title)


def flat(rows: Rows) -> list[dict[str, Any]]:
    """One line a number: row, seed, key, value, low and high."""
    return [
        {"row": row.name, "seed": seed, "key": key, **summary[key]}
        for row in rows
        for seed, summary in enumerate(row.summaries)
        for key in (*KEYS, *FIELD_KEYS)
        if summary.get(key) is not None
    ]


def scores_table(rows: Rows) -> Section:
    """Accuracy, F1 and AUC at both levels beside the paper's, and what each row costs."""
    head = ["row", "parameters"]
    head += [f"{level} {name}" for level in LEVELS for name in NAMES.values()]
    head += ["paper, image", "paper, case", "min a run"]
    lines = []
    for row in rows:
        cells = [row.title, f"{row.parameters:,}"]
        cells += [cell(over_seeds(row.summaries, key)) for key in KEYS]
        cells += [" / ".join(f"{x:.3f}" for x in level) for level in row.paper]
        lines.append([*cells, f"{np.median(row.seconds) / 60:.1f}"])
    return Section("scores", "Classes", table=Table(head, lines))


def fields_table(rows: Rows) -> Section:
    """Visual field regression of the rows that do it."""
    head = ["row"]
    for index in visual_field.INDICES:
        head += [f"{index.upper()} r", f"{index.upper()} MAE ({visual_field.UNITS[index]})"]
    lines = []
    for row in rows:
        values = [over_seeds(row.summaries, key) for key in FIELD_KEYS]
        if any(value is not None for value in values):
            lines.append([row.title, *map(cell, values)])
    return Section("fields", "Visual fields", table=Table(head, lines))


def claims_table(rows: Rows, claims: Claims) -> Section:
    """Paired differences of the rows that the paper compares: does its order hold here?"""
    named = {row.name: row for row in rows}
    head = ["difference, paired by patient", *(key.replace("_", " ") for key in COMPARED)]
    lines = []
    for names in claims:
        if not named.keys() >= set(names):
            continue
        better, worse = (named[name] for name in names)
        pairs = zip(better.records, worse.records, strict=True)
        differences = [screening_difference(*pair) for pair in pairs]
        cells = [difference_cell(differences, key) for key in COMPARED]
        lines.append([f"{better.title} − {worse.title}", *cells])
    words = [SEEDS_IN_WORDS] if any(len(row.records) > 1 for row in rows) else []
    return Section("claims", "What the paper compares", words, Table(head, lines))


def score_figures(rows: Rows) -> list[Figure]:
    """A chart a score, a line a row that has it."""
    figures = []
    for key in CHARTS:
        values = [(row.title, over_seeds(row.summaries, key)) for row in rows]
        if known := [(title, value) for title, value in values if value is not None]:
            figures.append(interval_figure(known, SCORES[key]))
    return figures


def curve_figures(rows: Rows) -> list[Figure]:
    """ROC of the volumes, and what chose the checkpoint by step."""
    scores = {row.title: scores_and_classes(row.records[0]) for row in rows}
    title = "What chooses the checkpoint, on the validation split"
    curves = learning_curves([curve for row in rows for curve in row.curves], title)
    return [roc_figure(scores, "glaucoma, image level"), *curves]

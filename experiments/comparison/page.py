"""A finished table as a page: its tables and charts, and a gallery of the eyes by every row."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data_pipelines.load.stores import Store
from experiments import validation_log
from experiments.comparison.gallery import eyes_section
from experiments.comparison.report import BARS, COMPARED, NAMES, Numbers, heading, sections_of
from experiments.comparison.rows import Table
from experiments.comparison.scores import Finished
from experiments.studies import study_page
from imo_jax.metrics.imo_eye import EyeRecord
from imo_jax.metrics.imo_summary import glaucoma_of
from imo_jax.report.figures import interval_figure, learning_curves, roc_figure
from imo_jax.report.page import Figure, Section
from imo_jax.report.seed_means import over_seeds

CURVES = "What chooses the checkpoint, of seed 0 and fold 0, on the validation split"


def table_page(
    table: Table,
    finished: Sequence[Finished],
    numbers: Numbers,
    setting: str,
    *,
    store: Store,
    manifest: str,
    settings: Mapping[str, Any],
    curves: Sequence[tuple[str, pathlib.Path, str]],
    seconds: float,
) -> str:
    """The HTML of the page.

    Args:
      table: of the paper.
      finished: its rows, or some of them, in its order.
      numbers: of them.
      setting: one sentence on what was run, on which data.
      store: the eyes of fold 0.
      manifest: of fold 0.
      settings: title of a row -> dataclass of the settings of its first run.
      curves: title of a row, validations of its first run, and the column that chose its step.
      seconds: that this call took.
    """
    charts = {
        "intervals": Section("intervals", "Scores with their intervals",
                             figures=score_figures(table, finished, numbers)),
        "apart": Section("apart", "Differences from IMO, row by row",
                         figures=difference_figures(table, finished, numbers)),
    }  # fmt: skip
    tables = sections_of(table, finished, numbers)
    words = Section("setting", "What is compared", [heading(table, finished, numbers, setting)])
    sections = [words, charts["intervals"]]
    for section in tables:
        sections.append(section)
        if section.key == "differences":
            sections.append(charts["apart"])
    rocs = roc_figures(finished) if "grade" in table.heads else []
    sections += [
        Section("curves", "Curves", figures=learning_curves(validation_log.curves(curves), CURVES) + rocs),
        eyes_section(finished, store, table.heads),
    ]
    return study_page(
        table.title,
        sections,
        rows=[f.title for f in finished],
        seeds=len(finished[0].seeds),
        manifest=manifest,
        settings=settings,
        seconds=seconds,
    )


def score_figures(
    table: Table, finished: Sequence[Finished], numbers: Numbers
) -> list[Figure]:
    """The main scores, a chart each, a line a row."""
    keys = [key for head in table.heads for key in BARS[head]]
    return [
        interval_figure(
            [(f.title, over_seeds(numbers.scores[f.row.name], key)) for f in finished], NAMES[key]
        )
        for key in keys
    ]


def difference_figures(
    table: Table, finished: Sequence[Finished], numbers: Numbers
) -> list[Figure]:
    """Row - IMO of the scores that are compared, a chart each."""
    keys = [key for head in table.heads for key in COMPARED[head]]
    rows = [f for f in finished if f.row.name in numbers.against]
    return [
        interval_figure(
            [(f.title, over_seeds(numbers.against[f.row.name], key)) for f in rows],
            f"{NAMES[key]}: row - IMO",
            [0.0],
        )
        for key in keys
        if rows
    ]


def roc_figures(finished: Sequence[Finished]) -> list[Figure]:
    """ROC of glaucoma of any grade, of the rows that grade, seed 0."""
    scores = {f.title: glaucoma_scores(f.seeds[0]) for f in finished}
    known = {title: s for title, s in scores.items() if len(s[0]) and 0 < s[1].sum() < len(s[1])}
    return [roc_figure(known, "glaucoma of any grade (seed 0)")] if known else []


def glaucoma_scores(records: Sequence[EyeRecord]) -> tuple[np.ndarray, np.ndarray]:
    """1 - P(normal) and whether there is glaucoma, of the eyes where both are known: (N,), (N,)."""
    known = [
        r for r in records if r["grade_probabilities"] is not None and glaucoma_of(r) is not None
    ]
    score = np.array([1 - r["grade_probabilities"][0] for r in known], float)
    return score, np.array([glaucoma_of(r) == 1 for r in known], bool)

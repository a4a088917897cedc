"""The page of a comparison: its tables and charts, and a gallery of the eyes by every row."""

from collections.abc import Sequence

import numpy as np

from imo_jax.metrics.imo_eye import EyeRecord
from imo_jax.metrics.imo_summary import glaucoma_of
from imo_jax.report.comparison import Comparison, Finished
from imo_jax.report.comparison_tables import COMPARED, DRAWN, NAMES, heading, sections_of
from imo_jax.report.figures import Curve, interval_figure, learning_curves, roc_figure
from imo_jax.report.page import Figure, Section
from imo_jax.report.seed_means import over_seeds

CURVES = "What chooses the checkpoint, of seed 0 and fold 0, on the validation split"


def page_sections(comparison: Comparison, curves: Sequence[Curve], eyes: Section) -> list[Section]:
    """The sections of the page in their order.

    Args:
      comparison: what is shown.
      curves: of each row's first run, what chose its step.
      eyes: the gallery, from `comparison_eyes.eyes_section`.
    """
    intervals = score_figures(comparison)
    apart = Section(
        "apart", "Differences from IMO, row by row", figures=difference_figures(comparison)
    )
    sections = [
        Section("setting", "What is compared", [heading(comparison)]),
        Section("intervals", "Scores with their intervals", figures=intervals),
    ]
    for section in sections_of(comparison):
        sections.append(section)
        if section.key == "differences":
            sections.append(apart)
    rocs = roc_figures(comparison.rows) if "grade" in comparison.heads else []
    shown = [*learning_curves(curves, CURVES), *rocs]
    return [*sections, Section("curves", "Curves", figures=shown), eyes]


def score_figures(comparison: Comparison) -> list[Figure]:
    """The main scores, a chart each, a line a row."""
    return [
        interval_figure(
            [(row.title, over_seeds(comparison.scores[row.name], key)) for row in comparison.rows],
            NAMES[key],
        )
        for head in comparison.heads
        for key in DRAWN[head]
    ]


def difference_figures(comparison: Comparison) -> list[Figure]:
    """Row - IMO of the scores that are compared, a chart each."""
    rows = [row for row in comparison.rows if row.name in comparison.against]
    return [
        interval_figure(
            [(row.title, over_seeds(comparison.against[row.name], key)) for row in rows],
            f"{NAMES[key]}: row - IMO",
            [0.0],
        )
        for head in comparison.heads
        for key in COMPARED[head]
        if rows
    ]


def roc_figures(rows: Sequence[Finished]) -> list[Figure]:
    """ROC of glaucoma of any grade, of the rows that grade, seed 0."""
    scores = {row.title: glaucoma_scores(row.seeds[0]) for row in rows}
    known = {title: s for title, s in scores.items() if len(s[0]) and 0 < s[1].sum() < len(s[1])}
    return [roc_figure(known, "glaucoma of any grade (seed 0)")] if known else []


def glaucoma_scores(records: Sequence[EyeRecord]) -> tuple[np.ndarray, np.ndarray]:
    """1 - P(normal) and whether there is glaucoma, of the eyes where both are known: (N,), (N,)."""
    known = [
        r for r in records if r["grade_probabilities"] is not None and glaucoma_of(r) is not None
    ]
    score = np.array([1 - r["grade_probabilities"][0] for r in known], float)
    return score, np.array([glaucoma_of(r) == 1 for r in known], bool)

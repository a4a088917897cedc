"""The numbers of a comparison as Markdown, as a picture, as lines of a table and as sections of a page."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from imo_jax.report.comparison import TESTED, Comparison, Finished
from imo_jax.report.page import Section, Table
from imo_jax.report.seed_means import (
    SEEDS_IN_WORDS,
    cell,
    difference_cell,
    in_markdown,
    over_seeds,
)
from imo_jax.visualisation.plots import interval_points

HEADS = {"segment": "Shapes", "grade": "Grades"}
# Head -> key of the summary -> what the table calls it.
PAPERS = {
    "segment": {
        "micro_dice_rim": 'rim Dice (paper: "optic disc")',
        "micro_dice_cup": "cup Dice",
        "micro_mdice": "mDice",
    },
    "grade": {
        "macro_precision": "precision",
        "macro_recall": "recall",
        "macro_f1": "F1",
        "accuracy": "accuracy",
    },
}
CLINICAL = {
    "segment": {
        "disc_dice": "whole disc Dice per eye",
        "cup_dice": "cup Dice per eye",
        "vcdr_mae": "vertical CDR error",
    },
    "grade": {"qwk": "quadratic-weighted kappa"},
}
DRAWN = {
    "segment": ("disc_dice", "cup_dice", "micro_mdice"),
    "grade": ("qwk", "accuracy", "macro_f1"),
}
COMPARED = {
    "segment": ("micro_mdice", "disc_dice", "cup_dice", "vcdr_mae"),
    "grade": ("qwk", "accuracy", "macro_f1"),
}
COLUMNS = ("row", "kind", "seed", "key", "value", "low", "high")  # of `flat`
NAMES = {
    key: name for part in (PAPERS, CLINICAL) for of in part.values() for key, name in of.items()
}


def in_words(comparison: Comparison) -> str:
    """The table as Markdown."""
    parts = [f"## {comparison.title}", heading(comparison)]
    return "\n\n".join([*parts, *map(in_markdown, sections_of(comparison))])


def intervals_picture(comparison: Comparison) -> np.ndarray:
    """(height, width, 3) uint8: the main scores of the rows with their intervals."""
    keys = [key for head in comparison.heads for key in DRAWN[head]]
    points = {
        row.title: {NAMES[key]: over_seeds(comparison.scores[row.name], key) for key in keys}
        for row in comparison.rows
    }
    return interval_points(points, title=comparison.title)


def sections_of(comparison: Comparison) -> list[Section]:
    """The tables of a report, in order, each with the words that belong to it."""
    sections = []
    for head in comparison.heads:
        sections += [papers_scores(head, comparison), clinical_scores(head, comparison)]
    if comparison.against:
        sections.append(differences_table(comparison))
    sections.append(cost_table(comparison.rows))
    if len(tried_rates(comparison.rows)) > 1:
        sections.append(rates_table(comparison.rows))
    return sections


def heading(comparison: Comparison) -> str:
    """Which eyes, what was run, and how to read the intervals."""
    first = comparison.rows[0]
    one = comparison.scores[first.name][0]
    return (
        f"{comparison.setting} Test eyes: {one['num_eyes']} of {one['num_patients']} patients. "
        f"Means over {len(first.seeds)} seed(s); in brackets the 95 % interval by patient bootstrap, "
        "its ends averaged over the seeds. Paper: IMO's paper, on GAMMA, its test split and "
        f"training unknown; - where its figure is not at hand. {comparison.note}"
    )


def papers_scores(head: str, comparison: Comparison) -> Section:
    """The paper's own metrics, each with the paper's figure beside it."""
    columns = [name for key in PAPERS[head] for name in (NAMES[key], "paper")]
    rows = []
    for row in comparison.rows:
        cells = []
        for key in PAPERS[head]:
            cells += [cell(over_seeds(comparison.scores[row.name], key)), _paper(row, key)]
        rows.append([row.title, *cells])
    title = f"{HEADS[head]}: the paper's metrics"
    return Section(f"{head}-paper", title, table=Table(["row", *columns], rows))


def clinical_scores(head: str, comparison: Comparison) -> Section:
    """What clinicians and the GAMMA and REFUGE challenges look at."""
    keys = CLINICAL[head]
    rows = [
        [row.title, *(cell(over_seeds(comparison.scores[row.name], k)) for k in keys)]
        for row in comparison.rows
    ]
    title = f"{HEADS[head]}: clinical metrics"
    return Section(f"{head}-clinical", title, table=Table(["row", *keys.values()], rows))


def differences_table(comparison: Comparison) -> Section:
    """Each row minus IMO with its paired interval, and Wilcoxon's p."""
    keys = [key for head in comparison.heads for key in COMPARED[head]]
    columns = [f"row - IMO: {NAMES[key]}" for key in keys]
    if "segment" in comparison.heads:
        columns += [f"p, {region} Dice per eye" for region in TESTED]
    rows = []
    for row in comparison.rows:
        if row.name not in comparison.against:
            continue
        cells = [difference_cell(comparison.against[row.name], key) for key in keys]
        if "segment" in comparison.heads:
            cells += [_p(comparison.tests[row.name][region]) for region in TESTED]
        rows.append([row.title, *cells])
    words = (
        "Differences are paired by patient: an interval without 0 says that these trainings differ on "
        "such eyes."
    )
    if len(comparison.rows[0].seeds) > 1:
        words += f" {SEEDS_IN_WORDS}"
    if "segment" in comparison.heads:
        words += (
            " p: two-sided Wilcoxon signed-rank test of per-eye Dice (mean over the seeds) against "
            "IMO, not corrected for the number of rows."
        )
    shown = Table(["row", *columns], rows)
    return Section("differences", "Differences from IMO", [words], shown)


def cost_table(rows: Sequence[Finished]) -> Section:
    """Size and speed of each row."""
    columns = ["row", "parameters", "GFLOP an eye", "latency, ms", "samples", "min a training"]
    lines = [
        [
            row.title,
            f"{row.cost['parameters']:,}",
            f"{row.cost['flops'] / 1e9:.3g}",
            f"{1e3 * row.cost['latency_s']:.3g}",
            str(row.cost["samples"]),
            f"{row.cost['train_s'] / 60:.1f}",
        ]
        for row in rows
    ]
    devices = sorted({row.cost["device"] for row in rows})
    words = (
        "Prediction of one eye at a time: operations by XLA's cost analysis before its "
        "optimisations, a multiply-add counted as two; latency the median of 20 predictions on "
        f"{', '.join(devices)}. Time of a training with its validations: median over the runs."
    )
    return Section("cost", "Cost", [words], Table(columns, lines))


def tried_rates(rows: Sequence[Finished]) -> list[float]:
    """Every learning rate that some row tried, ascending."""
    return sorted({rate for row in rows for of_fold in row.rates for rate in of_fold})


def rates_table(rows: Sequence[Finished]) -> Section:
    """Validation score of each learning rate tried, the mean over the folds; what was chosen."""
    tried = tried_rates(rows)
    lines = [[row.title, *(_rate_cell(row, rate) for rate in tried)] for row in rows if row.rates]
    columns = ["validation score", *(f"learning rate {rate:g}" for rate in tried)]
    words = (
        "The learning rate of each row is, in each fold, the one with the best validation score "
        "(mean of disc Dice, cup Dice and kappa, of what the row does) with seed 0; the test split "
        "is not looked at. With several folds the scores are means over them."
    )
    return Section("rates", "Learning rates", [words], Table(columns, lines))


def flat(comparison: Comparison) -> list[dict[str, Any]]:
    """One line a number, of COLUMNS; its kind is score, minus_imo, p, cost or paper.

    Only scores and differences have a seed and an interval.
    """
    keys = [key for head in comparison.heads for part in (PAPERS, CLINICAL) for key in part[head]]
    lines: list[dict[str, Any]] = []
    for row in comparison.rows:
        for kind, seeds in (
            ("score", comparison.scores[row.name]),
            ("minus_imo", comparison.against.get(row.name, [])),
        ):
            lines += [
                {"row": row.name, "kind": kind, "seed": seed, "key": key, **summary[key]}
                for seed, summary in enumerate(seeds)
                for key in keys
                if summary.get(key) is not None
            ]
        tests = comparison.tests.get(row.name, {})
        single: dict[str, dict[str, Any]] = {
            "p": {f"{region}_dice": p for region, p in tests.items() if p is not None},
            "cost": {k: v for k, v in row.cost.items() if not isinstance(v, str)},
            "paper": {k: v for k, v in row.paper.items() if k in keys},
        }
        lines += [
            {"row": row.name, "kind": kind, "key": key, "value": value}
            for kind, values in single.items()
            for key, value in values.items()
        ]
    return lines


def _paper(row: Finished, key: str) -> str:
    return f"{row.paper[key]:.3f}" if key in row.paper else "-"


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def _rate_cell(row: Finished, rate: float) -> str:
    score = float(np.mean([of_fold.get(rate, math.nan) for of_fold in row.rates]))
    if np.isnan(score):
        return "-"
    text = f"{score:.3f}" if np.isfinite(score) else "diverged"
    chosen, folds = list(row.chosen).count(rate), len(row.chosen)
    if not chosen:
        return text
    return f"{text} (chosen)" if folds == 1 else f"{text} (chosen in {chosen} of {folds} folds)"

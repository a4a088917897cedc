"""A finished table as Markdown, as numbers and as a picture."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from experiments.comparison.rows import IMO, Row, Table
from experiments.comparison.scores import TESTED, Finished, differences, summaries, wilcoxon
from imo_jax.report.page import Section
from imo_jax.report.page import Table as TextTable
from imo_jax.report.seed_means import cell, in_markdown, over_seeds
from imo_jax.visualisation.plots import interval_bars

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
BARS = {
    "segment": ("disc_dice", "cup_dice", "micro_mdice"),
    "grade": ("qwk", "accuracy", "macro_f1"),
}
COMPARED = {
    "segment": ("micro_mdice", "disc_dice", "cup_dice", "vcdr_mae"),
    "grade": ("qwk", "accuracy", "macro_f1"),
}
NAMES = {
    key: name for part in (PAPERS, CLINICAL) for of in part.values() for key, name in of.items()
}


@dataclasses.dataclass(frozen=True)
class Numbers:
    """What a finished table says of its rows, by Row.name.

    Attributes:
      scores: the summary of each seed.
      against: of rows beside IMO, each seed's row - IMO.
      tests: of these, region -> Wilcoxon's p of the per-eye Dice.
    """

    scores: dict[str, list[dict[str, Any]]]
    against: dict[str, list[dict[str, Any]]]
    tests: dict[str, dict[str, float | None]]


def numbers_of(finished: Sequence[Finished], resamples: int) -> Numbers:
    """Scores and comparisons of the rows of a table, with so many resamples of the bootstrap."""
    imo = next((f for f in finished if f.row == IMO), None)
    others = [f for f in finished if imo and f.row != IMO]
    return Numbers(
        {f.row.name: summaries(f, resamples) for f in finished},
        {f.row.name: differences(f, imo, resamples) for f in others},
        {f.row.name: {region: wilcoxon(f, imo, region) for region in TESTED} for f in others},
    )


def in_words(
    table: Table, finished: Sequence[Finished], numbers: Numbers, setting: str
) -> str:
    """The table as Markdown.

    Args:
      table: of the paper.
      finished: its rows, or some of them, in its order.
      numbers: of them.
      setting: one sentence on what was run, on which data.
    """
    parts = [f"## {table.title}", heading(table, finished, numbers, setting)]
    parts += [in_markdown(section) for section in sections_of(table, finished, numbers)]
    return "\n\n".join(parts)


def intervals_picture(table: Table, finished: Sequence[Finished], numbers: Numbers) -> np.ndarray:
    """(height, width, 3) uint8: the main scores of the rows with their intervals."""
    keys = [key for head in table.heads for key in BARS[head]]
    bars = {
        f.title: {key: over_seeds(numbers.scores[f.row.name], key) for key in keys}
        for f in finished
    }
    return interval_bars(bars, title=table.title)


def sections_of(
    table: Table, finished: Sequence[Finished], numbers: Numbers
) -> list[Section]:
    """The tables of a report, in order, each with the words that belong to it."""
    sections = []
    for head in table.heads:
        sections += [
            papers_scores(head, finished, numbers),
            clinical_scores(head, finished, numbers),
        ]
    if numbers.against:
        sections.append(differences_table(table, finished, numbers))
    sections.append(cost_table(finished))
    if len(tried_rates(finished)) > 1:
        sections.append(rates_table(finished))
    return sections


def heading(table: Table, finished: Sequence[Finished], numbers: Numbers, setting: str) -> str:
    """Which eyes, what was run, and how to read the intervals."""
    one = numbers.scores[finished[0].row.name][0]
    return (
        f"{setting} Test eyes: {one['num_eyes']} of {one['num_patients']} patients. Means over "
        f"{len(finished[0].seeds)} seed(s); in brackets the 95 % interval by patient bootstrap, "
        "its ends averaged over the seeds. Paper: IMO's paper, on GAMMA, its test split and "
        f"training unknown; - where its figure is not at hand. {table.note}"
    )


def papers_scores(head: str, finished: Sequence[Finished], numbers: Numbers) -> Section:
    """The paper's own metrics, each with the paper's figure beside it."""
    columns = [name for key in PAPERS[head] for name in (NAMES[key], "paper")]
    rows = []
    for f in finished:
        cells = []
        for key in PAPERS[head]:
            cells += [cell(over_seeds(numbers.scores[f.row.name], key)), _paper(f.row, key)]
        rows.append([f.title, *cells])
    title = f"{HEADS[head]}: the paper's metrics"
    return Section(f"{head}-paper", title, table=TextTable(["row", *columns], rows))


def clinical_scores(head: str, finished: Sequence[Finished], numbers: Numbers) -> Section:
    """What clinicians and the GAMMA and REFUGE challenges look at."""
    keys = CLINICAL[head]
    rows = [
        [f.title, *(cell(over_seeds(numbers.scores[f.row.name], k)) for k in keys)]
        for f in finished
    ]
    title = f"{HEADS[head]}: clinical metrics"
    return Section(f"{head}-clinical", title, table=TextTable(["row", *keys.values()], rows))


def differences_table(table: Table, finished: Sequence[Finished], numbers: Numbers) -> Section:
    """Each row minus IMO with its paired interval, and Wilcoxon's p."""
    keys = [key for head in table.heads for key in COMPARED[head]]
    columns = [f"row - IMO: {NAMES[key]}" for key in keys]
    if "segment" in table.heads:
        columns += [f"p, {region} Dice per eye" for region in TESTED]
    rows = []
    for f in finished:
        if f.row.name not in numbers.against:
            continue
        cells = [cell(over_seeds(numbers.against[f.row.name], key), "+.3f") for key in keys]
        if "segment" in table.heads:
            cells += [_p(numbers.tests[f.row.name][region]) for region in TESTED]
        rows.append([f.title, *cells])
    words = "Differences are paired by patient: an interval without 0 says that the rows differ."
    if "segment" in table.heads:
        words += (
            " p: two-sided Wilcoxon signed-rank test of per-eye Dice (mean over the seeds) against "
            "IMO, not corrected for the number of rows."
        )
    shown = TextTable(["row", *columns], rows)
    return Section("differences", "Differences from IMO", [words], shown)


def cost_table(finished: Sequence[Finished]) -> Section:
    """Size and speed of each row."""
    columns = ["row", "parameters", "GFLOP an eye", "latency, ms", "samples", "min a training"]
    rows = [
        [
            f.title,
            f"{f.cost['parameters']:,}",
            f"{f.cost['flops'] / 1e9:.3g}",
            f"{1e3 * f.cost['latency_s']:.3g}",
            str(f.cost["samples"]),
            f"{f.cost['train_s'] / 60:.1f}",
        ]
        for f in finished
    ]
    devices = sorted({f.cost["device"] for f in finished})
    words = (
        "Prediction of one eye at a time: operations by XLA's cost analysis before its "
        "optimisations, a multiply-add counted as two; latency the median of 20 predictions on "
        f"{', '.join(devices)}. Time of a training with its validations: median over the runs."
    )
    return Section("cost", "Cost", [words], TextTable(columns, rows))


def tried_rates(finished: Sequence[Finished]) -> list[float]:
    """Every learning rate that some row tried, ascending."""
    return sorted({rate for f in finished for of_fold in f.rates for rate in of_fold})


def rates_table(finished: Sequence[Finished]) -> Section:
    """Validation score of each learning rate tried, the mean over the folds; what was chosen."""
    tried = tried_rates(finished)
    rows = [[f.title, *(_rate_cell(f, rate) for rate in tried)] for f in finished if f.rates]
    columns = ["validation score", *(f"learning rate {rate:g}" for rate in tried)]
    words = (
        "The learning rate of each row is, in each fold, the one with the best validation score "
        "(mean of disc Dice, cup Dice and kappa, of what the row does) with seed 0; the test split "
        "is not looked at. With several folds the scores are means over them."
    )
    return Section("rates", "Learning rates", [words], TextTable(columns, rows))


def flat(table: Table, finished: Sequence[Finished], numbers: Numbers) -> pd.DataFrame:
    """One line a number; its kind is score, minus_imo, p, cost or paper."""
    keys = [key for head in table.heads for part in (PAPERS, CLINICAL) for key in part[head]]
    lines: list[dict[str, Any]] = []
    for f in finished:
        name = f.row.name
        for kind, seeds in (
            ("score", numbers.scores[name]),
            ("minus_imo", numbers.against.get(name, [])),
        ):
            lines += [
                {"row": name, "kind": kind, "seed": seed, "key": key, **summary[key]}
                for seed, summary in enumerate(seeds)
                for key in keys
                if summary.get(key) is not None
            ]
        single = {
            "p": {f"{r}_dice": p for r, p in numbers.tests.get(name, {}).items() if p is not None},
            "cost": {k: v for k, v in f.cost.items() if not isinstance(v, str)},
            "paper": {k: v for k, v in f.row.paper.items() if k in keys},
        }
        lines += [
            {"row": name, "kind": kind, "key": key, "value": value}
            for kind, values in single.items()
            for key, value in values.items()
        ]
    return pd.DataFrame(lines, columns=["row", "kind", "seed", "key", "value", "low", "high"])


def _paper(row: Row, key: str) -> str:
    return f"{row.paper[key]:.3f}" if key in row.paper else "-"


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def _rate_cell(f: Finished, rate: float) -> str:
    score = float(np.mean([of_fold.get(rate, math.nan) for of_fold in f.rates]))
    if np.isnan(score):
        return "-"
    text = f"{score:.3f}" if np.isfinite(score) else "diverged"
    chosen, folds = list(f.chosen).count(rate), len(f.chosen)
    if not chosen:
        return text
    return f"{text} (chosen)" if folds == 1 else f"{text} (chosen in {chosen} of {folds} folds)"

"""A finished table as Markdown, CSV and pictures."""

import math
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from experiments.comparison.rows import IMO, Row, Table
from experiments.comparison.scores import TESTED, Finished, differences, summaries, wilcoxon
from experiments.seed_means import cell, markdown, over_seeds
from imo_jax.atomic_files import write_picture
from imo_jax.visualisation.plots import interval_bars

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


def write_report(
    folder: pathlib.Path,
    table: Table,
    finished: Sequence[Finished],
    setting: str,
    resamples: int,
) -> str:
    """Writes table.md, table.csv and intervals.png; returns the Markdown.

    Args:
      folder: where to.
      table: of the paper.
      finished: its rows, or some of them, in its order.
      setting: one sentence on what was run, on which data.
      resamples: of the bootstrap.
    """
    scores = {f.row.name: summaries(f, resamples) for f in finished}
    imo = next((f for f in finished if f.row == IMO), None)
    against = {f.row.name: differences(f, imo, resamples) for f in finished if imo and f.row != IMO}
    tests = {
        f.row.name: {region: wilcoxon(f, imo, region) for region in TESTED}
        for f in finished
        if imo and f.row != IMO
    }
    parts = [f"## {table.title}", heading(table, finished, scores, setting)]
    for head in table.heads:
        parts += [papers_scores(head, finished, scores), clinical_scores(head, finished, scores)]
    if against:
        parts.append(differences_table(table, finished, against, tests))
    parts += [cost_table(finished), rates_table(finished)]
    text = "\n\n".join(part for part in parts if part)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.md").write_text(text + "\n", encoding="utf-8")
    flat(table, finished, scores, against, tests).to_csv(folder / "table.csv", index=False)
    keys = [key for head in table.heads for key in BARS[head]]
    bars = {f.title: {key: over_seeds(scores[f.row.name], key) for key in keys} for f in finished}
    write_picture(folder / "intervals.png", interval_bars(bars, title=table.title))
    return text


def heading(
    table: Table, finished: Sequence[Finished], scores: dict[str, list[dict]], setting: str
) -> str:
    """Which eyes, what was run, and how to read the intervals."""
    one = scores[finished[0].row.name][0]
    return (
        f"{setting} Test eyes: {one['num_eyes']} of {one['num_patients']} patients. Means over "
        f"{len(finished[0].seeds)} seed(s); in brackets the 95 % interval by patient bootstrap, "
        "its ends averaged over the seeds. *Paper*: IMO's paper, on GAMMA, its test split and "
        f"training unknown; - where its figure is not at hand. {table.note}"
    )


def papers_scores(head: str, finished: Sequence[Finished], scores: dict[str, list[dict]]) -> str:
    """The paper's own metrics, each with the paper's figure beside it."""
    columns = [name for key in PAPERS[head] for name in (NAMES[key], "paper")]
    rows = []
    for f in finished:
        cells = []
        for key in PAPERS[head]:
            cells += [cell(over_seeds(scores[f.row.name], key)), _paper(f.row, key)]
        rows.append([f.title, *cells])
    return markdown(["row", *columns], rows)


def clinical_scores(head: str, finished: Sequence[Finished], scores: dict[str, list[dict]]) -> str:
    """What clinicians and the GAMMA and REFUGE challenges look at."""
    keys = CLINICAL[head]
    rows = [[f.title, *(cell(over_seeds(scores[f.row.name], k)) for k in keys)] for f in finished]
    return markdown(["row", *keys.values()], rows)


def differences_table(
    table: Table,
    finished: Sequence[Finished],
    against: dict[str, list[dict]],
    tests: dict[str, dict[str, float | None]],
) -> str:
    """Each row minus IMO with its paired interval, and Wilcoxon's p."""
    keys = [key for head in table.heads for key in COMPARED[head]]
    columns = [f"row - IMO: {NAMES[key]}" for key in keys]
    if "segment" in table.heads:
        columns += [f"p, {region} Dice per eye" for region in TESTED]
    rows = []
    for f in finished:
        if f.row.name not in against:
            continue
        cells = [cell(over_seeds(against[f.row.name], key), "+.3f") for key in keys]
        if "segment" in table.heads:
            cells += [_p(tests[f.row.name][region]) for region in TESTED]
        rows.append([f.title, *cells])
    words = "Differences are paired by patient: an interval without 0 says that the rows differ."
    if "segment" in table.heads:
        words += (
            " p: two-sided Wilcoxon signed-rank test of per-eye Dice (mean over the seeds) against "
            "IMO, not corrected for the number of rows."
        )
    return markdown(["row", *columns], rows) + "\n\n" + words


def cost_table(finished: Sequence[Finished]) -> str:
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
    return markdown(columns, rows) + "\n\n" + words


def rates_table(finished: Sequence[Finished]) -> str:
    """Validation score of each learning rate tried; the chosen one in bold."""
    tried = sorted({rate for f in finished for rate in f.rates})
    if len(tried) < 2:
        return ""
    rows = [[f.title, *(_rate_cell(f, rate) for rate in tried)] for f in finished if f.rates]
    columns = ["validation score", *(f"learning rate {rate:g}" for rate in tried)]
    words = (
        "The learning rate of each row is the one with the best validation score (mean of disc "
        "Dice, cup Dice and kappa, of what the row does) with seed 0 of the first fold; the test "
        "split is not looked at."
    )
    return markdown(columns, rows) + "\n\n" + words


def flat(
    table: Table,
    finished: Sequence[Finished],
    scores: dict[str, list[dict]],
    against: dict[str, list[dict]],
    tests: dict[str, dict[str, float | None]],
) -> pd.DataFrame:
    """One line a number; its kind is score, minus_imo, p, cost or paper."""
    keys = [key for head in table.heads for part in (PAPERS, CLINICAL) for key in part[head]]
    lines: list[dict[str, Any]] = []
    for f in finished:
        name = f.row.name
        for kind, seeds in (("score", scores[name]), ("minus_imo", against.get(name, []))):
            lines += [
                {"row": name, "kind": kind, "seed": seed, "key": key, **summary[key]}
                for seed, summary in enumerate(seeds)
                for key in keys
                if summary.get(key) is not None
            ]
        single = {
            "p": {f"{r}_dice": p for r, p in tests.get(name, {}).items() if p is not None},
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
    score = f.rates.get(rate, math.nan)
    if np.isnan(score):
        return "-"
    text = f"{score:.3f}" if np.isfinite(score) else "diverged"
    return f"**{text}**" if rate == f.rate else text

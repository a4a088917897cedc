"""`--mode=table`: all rows of the paper's Table 1 on one data set, resumed where it was stopped."""

import dataclasses
import functools
import pathlib
import time
from typing import Any

import numpy as np
import pandas as pd

from data_pipelines.load.screening_stores import ScreeningStore
from experiments.run_folder import RunFolder, read_json
from experiments.runtime import say
from experiments.saved_run import refuse_other_config, restore_screening
from experiments.screening.config import ScreeningConfig
from experiments.screening.methods import METHODS, TABLE_1, Row
from experiments.screening.reading import checked_store
from experiments.screening.run_eval import run_eval
from experiments.screening.run_train import run_train
from experiments.screening.scores import read_records
from experiments.screening.table_page import table_page
from experiments.studies import chosen_rows, done_in_order, write_study
from imo_jax import visual_field
from imo_jax.atomic_files import write_json
from imo_jax.metrics.screening_summary import screening_difference
from imo_jax.models.variables import parameters
from imo_jax.report.page import Section, Table
from imo_jax.report.seed_means import cell, in_markdown, over_seeds
from imo_jax.visualisation.plots import interval_bars

LEVELS, SCORES = ("image", "case"), ("accuracy", "f1", "auc")
KEYS = tuple(f"{level}_{score}" for level in LEVELS for score in SCORES)
FIELD_KEYS = tuple(f"{index}_{name}" for index in visual_field.INDICES for name in ("r", "mae"))

# What the paper says holds, as (better, worse) rows.
CLAIMS = (
    ("part_mt", "part_2d"),
    ("all_mt", "all_2d"),
    ("all_semt", "all_mt"),
    ("all_2d", "all_3d_cnn"),
    ("all_2d", "all_3d_resnet"),
)


def run_table(
    config: ScreeningConfig, workdir: str, seeds: int, names: list[str] | None = None
) -> int:
    """Runs what is missing of the table, and writes it as Markdown, CSV and a plot.

    Args:
      config: settings that all rows share; method, subset and seed are replaced.
      workdir: folder of the table; each run has a folder of its own in it.
      seeds: runs of each row.
      names: rows (Row.name); None = all.

    Returns:
      The exit code: not 0 where a run was interrupted; the same command goes on.

    Raises:
      UserError: unknown rows, bad input, or a folder with runs of other settings.
    """
    started = time.monotonic()
    rows = chosen_rows(TABLE_1, names)
    root = pathlib.Path(workdir)
    runs = [row_config(config, row, seed, rows, root) for seed in range(seeds) for row in rows]
    for run, folder in runs:
        refuse_other_config(folder, run)
    stores: dict[Any, ScreeningStore] = {}

    def done(number: int, run: ScreeningConfig, folder: pathlib.Path) -> int:
        if RunFolder(folder).summary.exists():
            return 0
        say(f"== run {number} of {len(runs)}: {folder.name}")
        if run.grid not in stores:
            stores[run.grid] = checked_store(widest(run, runs), ("train", "eval"))
        return run_row(run, folder, stores[run.grid])

    if code := done_in_order(functools.partial(done, k, *run) for k, run in enumerate(runs, 1)):
        return code
    write_tables(root, config, rows, seeds, started)
    return 0


def row_folder(root: pathlib.Path, row: Row, seed: int) -> pathlib.Path:
    return root / f"{row.name}-seed{seed}"


def row_config(
    config: ScreeningConfig, row: Row, seed: int, rows: list[Row], root: pathlib.Path
) -> tuple[ScreeningConfig, pathlib.Path]:
    """Settings and folder of one run. SEMT compares the features of the row that learns them."""
    method = METHODS[row.method]
    stage1 = None
    if method.surrogates:
        source = next((r for r in rows if (r.subset, r.method) == (row.subset, "2d")), None)
        stage1 = None if source is None else str(row_folder(root, source, seed))
    replaced = dataclasses.replace(
        config,
        seed=seed,
        method=row.method,
        train_subset=row.subset,
        model=dataclasses.replace(config.model, network=method.network),
        surrogate=dataclasses.replace(config.surrogate, stage1=stage1),
        pretrained=None if method.whole_volumes else config.pretrained,
    )
    return replaced, row_folder(root, row, seed)


def widest(
    run: ScreeningConfig, runs: list[tuple[ScreeningConfig, pathlib.Path]]
) -> ScreeningConfig:
    """A run on the same images that asks the most of the manifest, so that it is checked once."""
    alike = [other for other, _ in runs if other.grid == run.grid]
    return next((other for other in alike if other.recipe.surrogates), run)


def run_row(config: ScreeningConfig, folder: pathlib.Path, store: ScreeningStore) -> int:
    """Trains and evaluates one run; returns the exit code."""
    started = time.monotonic()
    if exit_code := run_train(config, folder, store).exit_code:
        return exit_code
    run = restore_screening(folder, {}, "best", ScreeningConfig)
    run_eval(run, None, store)
    cost = {"seconds": time.monotonic() - started, "parameters": parameters(run.variables)}
    write_json(folder / "cost.json", cost)
    return 0


def write_tables(
    root: pathlib.Path, config: ScreeningConfig, rows: list[Row], seeds: int, started: float
) -> None:
    """Writes report.html, table.md, table.csv and table.png from the finished runs.

    Args:
      root: folder of the table.
      config: settings that all rows share.
      rows, seeds: that are finished.
      started: `time.monotonic()` when the call began.
    """
    manifest = config.data.manifest
    finished = {
        row.name: [read_json(RunFolder(row_folder(root, row, s)).summary) for s in range(seeds)]
        for row in rows
    }
    words = heading(manifest, finished, seeds)
    sections = [
        scores_table(root, rows, finished),
        fields_table(rows, finished),
        claims_table(root, rows, seeds),
    ]
    text = "\n\n".join([words, *map(in_markdown, sections)])
    flat = [
        {"row": row.name, "seed": seed, "key": key, **summary[key]}
        for row in rows
        for seed, summary in enumerate(finished[row.name])
        for key in (*KEYS, *FIELD_KEYS)
        if summary.get(key) is not None
    ]
    bars = {
        row.title: {key.replace("_", " "): over_seeds(finished[row.name], key) for key in KEYS}
        for row in rows
    }
    pictures = {"table.png": interval_bars(bars, title=manifest)}
    folders = {row.title: RunFolder(row_folder(root, row, 0)) for row in rows}
    named = {row.title: finished[row.name] for row in rows}
    configs = {row.title: row_config(config, row, 0, rows, root)[0] for row in rows}
    page = table_page(words, sections, named, folders, configs, time.monotonic() - started)
    write_study(root, "table", text, pd.DataFrame(flat), pictures, page)


def heading(manifest: str, finished: dict[str, list[dict[str, Any]]], seeds: int) -> str:
    """Which data set, how much of it, and how to read the intervals."""
    one = next(iter(finished.values()))[0]
    return (
        f"Data set: {manifest}; test split: {one['num_volumes']} volumes (image level) of "
        f"{one['num_cases']} eye visits (case level) of {one['num_patients']} patients; mean of "
        f"{seeds} seeds. In brackets the 95 % interval by patient bootstrap (its ends averaged "
        "over the seeds). Paper: Wang et al. 2019, another data set."
    )


def scores_table(
    root: pathlib.Path, rows: list[Row], finished: dict[str, list[dict[str, Any]]]
) -> Section:
    """Accuracy, F1 and AUC at both levels beside the paper's, and what each row costs."""
    names = {"accuracy": "accuracy", "f1": "F1", "auc": "AUC"}
    head = ["row", "parameters"]
    head += [f"{level} {names[score]}" for level in LEVELS for score in SCORES]
    head += ["paper, image", "paper, case", "min a run"]
    lines = []
    for row in rows:
        costs = [
            read_json(row_folder(root, row, s) / "cost.json")
            for s in range(len(finished[row.name]))
        ]
        cells = [row.title, f"{costs[0]['parameters']:,}"]
        cells += [cell(over_seeds(finished[row.name], key)) for key in KEYS]
        cells += [" / ".join(f"{x:.3f}" for x in level) for level in row.paper]
        cells.append(f"{np.median([cost['seconds'] for cost in costs]) / 60:.1f}")
        lines.append(cells)
    return Section("scores", "Classes", table=Table(head, lines))


def fields_table(rows: list[Row], finished: dict[str, list[dict[str, Any]]]) -> Section:
    """Visual field regression of the rows that do it."""
    head = ["row"]
    for index in visual_field.INDICES:
        head += [f"{index.upper()} r", f"{index.upper()} MAE ({visual_field.UNITS[index]})"]
    lines = []
    for row in rows:
        values = [over_seeds(finished[row.name], key) for key in FIELD_KEYS]
        if any(value is not None for value in values):
            lines.append([row.title, *map(cell, values)])
    return Section("fields", "Visual fields", table=Table(head, lines))


def claims_table(root: pathlib.Path, rows: list[Row], seeds: int) -> Section:
    """Paired differences of the rows that the paper compares: does its order hold here?"""
    by_name = {row.name: row for row in rows}
    keys = ("image_accuracy", "image_auc", "case_accuracy", "case_auc")
    head = ["difference, paired by patient", *(key.replace("_", " ") for key in keys)]
    lines = []
    for better, worse in CLAIMS:
        if better not in by_name or worse not in by_name:
            continue
        differences = [
            screening_difference(
                *(
                    read_records(row_folder(root, by_name[name], seed) / "eval" / "per_image.csv")
                    for name in (better, worse)
                )
            )
            for seed in range(seeds)
        ]
        cells = [cell(over_seeds(differences, key), "+.3f") for key in keys]
        name = f"{by_name[better].title} − {by_name[worse].title}"
        lines.append([name, *cells])
    return Section("claims", "What the paper compares", table=Table(head, lines))

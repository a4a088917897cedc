"""`--mode=table`: all rows of the paper's Table 1 on one data set, resumed where it was stopped."""

import csv
import dataclasses
import functools
import pathlib
import time
from typing import Any

import pandas as pd

from data_pipelines.load.screening_stores import ScreeningStore
from data_pipelines.phantom.dataset import is_phantom
from experiments import validation_log
from experiments.run_folder import RunFolder, read_json
from experiments.runtime import say
from experiments.saved_run import refuse_other_config, restore_screening
from experiments.screening.config import ScreeningConfig
from experiments.screening.methods import CLAIMS, METHODS, TABLE_1, Row
from experiments.screening.reading import checked_store
from experiments.screening.run_eval import run_eval
from experiments.screening.run_train import run_train
from experiments.studies import chosen_rows, done_in_order, write_study
from imo_jax.atomic_files import write_json
from imo_jax.metrics.screening import VolumeRecord, record_of
from imo_jax.models.variables import parameters
from imo_jax.report import screening_table
from imo_jax.report.screening_table import FinishedRow
from imo_jax.report.study_page import study_page


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
    configs = {row.title: row_config(config, row, 0, rows, root)[0] for row in rows}
    finished = [finished_row(root, row, seeds, configs[row.title]) for row in rows]
    page = study_page(
        "Screening with OCT volumes: SEMT and its rivals",
        screening_table.sections_of(finished, CLAIMS, manifest),
        rows=list(configs),
        seeds=seeds,
        manifest=manifest,
        phantom=is_phantom(manifest),
        settings=configs,
        seconds=time.monotonic() - started,
    )
    text = screening_table.in_words(finished, CLAIMS, manifest)
    pictures = {"table.png": screening_table.intervals_picture(finished, manifest)}
    numbers = pd.DataFrame(screening_table.flat(finished))
    write_study(root, "table", text, numbers, pictures, page)


def finished_row(
    root: pathlib.Path, row: Row, seeds: int, config: ScreeningConfig
) -> FinishedRow:
    """What the runs of a row left; arguments as write_tables, `config` is of its run of seed 0."""
    folders = [RunFolder(row_folder(root, row, seed)) for seed in range(seeds)]
    costs = [read_json(folder.root / "cost.json") for folder in folders]
    chosen = (row.title, folders[0].validation, config.loop.best_metric)
    return FinishedRow(
        name=row.name,
        title=row.title,
        paper=row.paper,
        summaries=[read_json(folder.summary) for folder in folders],
        records=[read_records(folder.evaluation / "per_image.csv") for folder in folders],
        parameters=costs[0]["parameters"],
        seconds=[cost["seconds"] for cost in costs],
        curves=validation_log.curves([chosen]),
    )


def read_records(path: pathlib.Path) -> list[VolumeRecord]:
    """The records behind an evaluation's per_image.csv."""
    with path.open(encoding="utf-8", newline="") as file:
        return [record_of(row) for row in csv.DictReader(file)]

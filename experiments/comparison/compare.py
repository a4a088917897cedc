"""One table from beginning to end: runs what is missing, scores it, writes the report."""

import pathlib
import time
from collections.abc import Sequence

import jax
import numpy as np

from experiments.comparison import evaluation
from experiments.comparison.cost import measure_cost
from experiments.comparison.figure import eyes_picture
from experiments.comparison.page import table_page
from experiments.comparison.report import numbers_of, write_report
from experiments.comparison.rows import ENSEMBLE, IMO, TABLES, TRAINED, Row, Table
from experiments.comparison.runs import (
    Run,
    Stores,
    chosen_rate,
    config_of,
    is_trained,
    rate_scores,
    run_folder,
    scored_runs,
    train_run,
    training_seconds,
    tried_runs,
)
from experiments.comparison.scores import Finished
from experiments.comparison.settings import Study, check_extra, weights_of
from experiments.run_folder import read_json
from experiments.runtime import UserError, say
from experiments.saved_run import refuse_other_config
from experiments.squares import evaluation_store
from imo_jax.atomic_files import write_json, write_picture
from imo_jax.weights.pretrained import weights_path


def run_table(study: Study, number: int, names: Sequence[str] | None = None) -> int:
    """Runs what is missing of a table and writes report.html, table.md, table.csv and pictures.

    Args:
      study: what all rows share.
      number: of the paper's table, 1 to 3.
      names: rows (Row.name); None = all.

    Returns:
      The exit code: not 0 where a run was interrupted; the same command goes on.

    Raises:
      UserError: unknown rows, bad input, or a folder with runs of other settings.
    """
    started = time.monotonic()
    table = TABLES[number]
    rows = chosen_rows(table, names)
    check_study(study, rows)
    stores = Stores()
    for row in rows:
        if row.program and (code := run_row(study, row, stores)):
            return code
    finished = [finished_row(study, row, stores) for row in rows]
    folder = study.out / f"table{number}"
    text = write_all(folder, study, table, finished, stores, started)
    print(text)
    say(f"written to {folder}; open {folder / 'report.html'} in a browser")
    return 0


def write_all(
    folder: pathlib.Path,
    study: Study,
    table: Table,
    finished: Sequence[Finished],
    stores: Stores,
    started: float,
) -> str:
    """Writes all files of a finished table, begun at `started`; returns it as Markdown."""
    rows = [f.row for f in finished]
    shown = best_run(study, rows[0] if rows[0].program else IMO)
    first = config_of(study, shown)
    seen = evaluation_store(evaluation.restored(study, shown), stores.of(first))
    setting = described(study, rows)
    numbers = numbers_of(finished, first.evaluation.bootstrap)
    text = write_report(folder, table, finished, numbers, setting)
    title = f"{table.title}: test eyes, seed 0"
    write_picture(folder / "eyes.png", eyes_picture(finished, seen, table.heads, title))
    runs = {row.title: best_run(study, row) for row in rows if row.program}
    settings = {title: config_of(study, run) for title, run in runs.items()}
    curves = [
        (title, run_folder(study, run).validation, settings[title].loop.best_metric)
        for title, run in runs.items()
    ]
    page = table_page(
        table, finished, numbers, setting, store=seen, manifest=study.manifests[0],
        settings=settings, curves=curves, seconds=time.monotonic() - started,
    )  # fmt: skip
    (folder / "report.html").write_text(page, encoding="utf-8")
    return text


def chosen_rows(table: Table, names: Sequence[str] | None) -> list[Row]:
    """Rows of a table by name, in its order; UserError names those that are not there."""
    known = {row.name: row for row in table.rows}
    if unknown := [name for name in names or () if name not in known]:
        raise UserError(f"rows {', '.join(unknown)}: there are {', '.join(known)}")
    return [row for row in table.rows if names is None or row.name in names]


def check_study(study: Study, rows: Sequence[Row]) -> None:
    """UserError for what would otherwise fail, or be refused, after hours of training."""
    check_extra(study.extra, rows)
    if unknown := [name for name in study.pretrained if name not in TRAINED]:
        raise UserError(f"pretrained rows {', '.join(unknown)}: there are {', '.join(TRAINED)}")
    problems = []
    for weights in study.pretrained.values():
        try:
            weights_path(weights)
        except (OSError, ImportError) as error:
            problems.append(str(error))
    if problems:
        raise UserError("\n".join(problems))
    for row in rows:
        if row.program is None:
            continue
        runs = tried_runs(study, row)
        for rate in study.rates:
            runs += [run for seed in scored_runs(study, row, rate) for run in seed]
        for run in runs:
            refuse_other_config(run_folder(study, run).root, config_of(study, run))


def run_row(study: Study, row: Row, stores: Stores) -> int:
    """Chooses a row's learning rate, trains and scores its runs; returns the exit code."""
    for run in tried_runs(study, row):
        if code := train_run(study, run, stores):
            return code
    rate = chosen_rate(row, rate_scores(study, row))
    for seed in scored_runs(study, row, rate):
        for run in seed:
            if code := train_run(study, run, stores):
                return code
            if not is_trained(study, run):
                raise UserError(
                    f"{run.name} diverged, though seed 0 of the first fold trained; give lower "
                    "--rates"
                )
            evaluation.evaluate_run(study, run, stores)
    cost_of(study, row, rate, stores)
    jax.clear_caches()  # the next row is another network
    return 0


def finished_row(study: Study, row: Row, stores: Stores) -> Finished:
    """Everything that the report says of a row."""
    if row == ENSEMBLE:
        return finished_ensemble(study, stores)
    rates = rate_scores(study, row)
    rate = chosen_rate(row, rates)
    seeds = scored_runs(study, row, rate)
    folders = [[run_folder(study, run).evaluation for run in runs] for runs in seeds]
    records, masks = _scored(folders)
    cost = cost_of(study, row, rate, stores)
    return Finished(row, row.title, records, cost, rates, rate, masks)


def finished_ensemble(study: Study, stores: Stores) -> Finished:
    """The ensemble of IMO with the segmenter that validates best, scored where that is missing."""
    segmenter = best_segmenter(study)
    members = (segmenter, IMO)
    rates = [chosen_rate(row, rate_scores(study, row)) for row in members]
    seeds = [scored_runs(study, row, rate) for row, rate in zip(members, rates, strict=True)]
    folders = []
    for of_segmenter, of_imo in zip(*seeds, strict=True):
        pairs = list(zip(of_segmenter, of_imo, strict=True))
        for pair in pairs:
            evaluation.evaluate_ensemble(study, pair, stores)
        folders.append([evaluation.ensemble_folder(study, pair) for pair in pairs])
    costs = [cost_of(study, row, rate, stores) for row, rate in zip(members, rates, strict=True)]
    cost = {
        name: sum(c[name] for c in costs)
        for name in ("parameters", "flops", "latency_s", "samples", "train_s")
    }
    cost["device"] = costs[0]["device"]
    records, masks = _scored(folders)
    title = f"{segmenter.title} + {IMO.title}"
    return Finished(ENSEMBLE, title, records, cost, {}, None, masks)


def best_segmenter(study: Study) -> Row:
    """The segmenter with the best validation score, of those that are finished.

    Raises:
      UserError: no segmenter is, or IMO is not.
    """
    segmenters = [row for row in TABLES[1].rows if row.program == "segmenter"]
    scores = {row.name: max(s.values()) for row in segmenters if (s := _complete(study, row))}
    if not scores or not _complete(study, IMO):
        raise UserError(
            "the ensemble needs finished runs of imo and of a segmenter: run these rows too, or "
            "leave it out with --only"
        )
    return TRAINED[max(scores, key=scores.get)]


def cost_of(study: Study, row: Row, rate: float, stores: Stores) -> dict:
    """The row's cost (cost.measure_cost, measured once), and `train_s`, median over its runs."""
    runs = [run for seed in scored_runs(study, row, rate) for run in seed]
    path = study.out / row.name / f"cost-rate{rate:g}.json"
    if not path.exists():
        store = stores.of(config_of(study, runs[0]))
        write_json(path, measure_cost(evaluation.restored(study, runs[0]), store))
    seconds = float(np.median([training_seconds(study, run) for run in runs]))
    return read_json(path) | {"train_s": seconds}


def best_run(study: Study, row: Row) -> Run:
    """The run of seed 0 and fold 0 at the chosen rate of a finished row."""
    return scored_runs(study, row, chosen_rate(row, rate_scores(study, row)))[0][0]


def described(study: Study, rows: Sequence[Row]) -> str:
    """One sentence on what was run."""
    config = config_of(study, tried_runs(study, IMO)[0])
    trained = [row for row in rows if row.program]
    loaded = [row.title for row in trained if weights_of(study, row)]
    scratch = [row.title for row in trained if not weights_of(study, row)]
    weights = f"from scratch: {', '.join(scratch)}" if loaded and scratch else "from scratch"
    if loaded:
        weights = f"pretrained: {', '.join(loaded)}" + (f"; {weights}" if scratch else "")
    folds = "its own splits"
    if len(study.manifests) > 1:
        folds = f"{len(study.manifests)} folds"
        if len(study.rates) > 1:
            folds += (
                "; the learning rate is chosen on the validation eyes of the first, which are test "
                "eyes of others, for all rows alike"
            )
    sees = "photographs"
    if config.two_stages:
        diameters = config.squares.square_diameters
        sees = f"squares of {diameters:g} disc diameters, found by one network for all rows,"
    return (
        f"Data set: {study.manifests[0]} ({folds}). Scale {study.scale}: {sees} of "
        f"{config.augment.crop_size} pixels, batch {config.data.batch_size}, "
        f"{config.loop.train_steps} steps; {weights}."
    )


def _complete(study: Study, row: Row) -> dict[float, float] | None:
    """Validation scores of a row's rates, if all its runs are finished; else None."""
    scores = rate_scores(study, row)
    if scores is None or not np.isfinite(max(scores.values())):
        return None
    seeds = scored_runs(study, row, chosen_rate(row, scores))
    trained = all(is_trained(study, run) for runs in seeds for run in runs)
    return scores if trained else None


def _scored(folders: Sequence[Sequence[pathlib.Path]]) -> tuple[list[list], np.ndarray | None]:
    """Test eyes of each seed, all folds one after the other; the masks of the first folder."""
    seeds = [
        [record for folder in of_seed for record in evaluation.read_records(folder)]
        for of_seed in folders
    ]
    return seeds, evaluation.read_masks(folders[0][0])

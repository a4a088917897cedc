"""The rows of a table whose runs are finished: their test eyes, rates and costs, gathered."""

import pathlib
from collections.abc import Sequence

import numpy as np

from experiments.comparison import evaluation
from experiments.comparison.rows import ENSEMBLE, IMO, TABLES, TRAINED, Row
from experiments.comparison.settings import (
    Run,
    Study,
    config_of,
    run_folder,
    scored_runs,
    tried_runs,
    weights_of,
)
from experiments.comparison.state import chosen_rates, cost_of, is_trained, rate_scores
from experiments.comparison.stores import Stores
from experiments.runtime import UserError
from imo_jax.report.comparison import Finished


def finished_row(study: Study, row: Row, stores: Stores) -> Finished:
    """Everything that the report says of a row."""
    if row == ENSEMBLE:
        return finished_ensemble(study, stores)
    rates = chosen_rates(study, row)
    seeds = scored_runs(study, row, rates)
    folders = [[run_folder(study, run).evaluation for run in runs] for runs in seeds]
    records, masks = _scored(folders)
    cost = cost_of(study, row, rates, stores)
    return Finished(
        row.name, row.title, records, cost, rate_scores(study, row), rates, masks, row.paper
    )


def finished_ensemble(study: Study, stores: Stores) -> Finished:
    """The ensemble of IMO with the segmenter that validates best, scored where that is missing."""
    segmenter = best_segmenter(study)
    members = (segmenter, IMO)
    chosen = [chosen_rates(study, row) for row in members]
    seeds = [scored_runs(study, row, rates) for row, rates in zip(members, chosen, strict=True)]
    folders = []
    for of_segmenter, of_imo in zip(*seeds, strict=True):
        pairs = list(zip(of_segmenter, of_imo, strict=True))
        for pair in pairs:
            evaluation.evaluate_ensemble(study, pair, stores)
        folders.append([evaluation.ensemble_folder(study, pair) for pair in pairs])
    costs = [
        cost_of(study, row, rates, stores) for row, rates in zip(members, chosen, strict=True)
    ]
    cost = {
        name: sum(c[name] for c in costs)
        for name in ("parameters", "flops", "latency_s", "samples", "train_s")
    }
    cost["device"] = costs[0]["device"]
    records, masks = _scored(folders)
    title = f"{segmenter.title} + {IMO.title}"
    return Finished(ENSEMBLE.name, title, records, cost, [], (), masks)


def best_segmenter(study: Study) -> Row:
    """The segmenter with the best validation score, of those that are finished.

    Raises:
      UserError: no segmenter is, or IMO is not.
    """
    segmenters = [row for row in TABLES[1].rows if row.program == "segmenter"]
    scores = {row.name: s for row in segmenters if (s := _validated(study, row)) is not None}
    if not scores or _validated(study, IMO) is None:
        raise UserError(
            "the ensemble needs finished runs of imo and of a segmenter that validates best: run "
            "these rows too, on eyes with a split 'val', or leave it out with --only"
        )
    return TRAINED[max(scores, key=scores.get)]


def best_run(study: Study, row: Row) -> Run:
    """The run of seed 0 and fold 0 at the chosen rate of a finished row."""
    return scored_runs(study, row, chosen_rates(study, row))[0][0]


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
            folds += "; the learning rates are chosen in each on its own validation eyes"
    sees = "photographs"
    if config.two_stages:
        diameters = config.squares.square_diameters
        sees = f"squares of {diameters:g} disc diameters, found by one network for all rows,"
    return (
        f"Data set: {study.manifests[0]} ({folds}). Scale {study.scale}: {sees} of "
        f"{config.augment.crop_size} pixels, batch {config.data.batch_size}, "
        f"{config.loop.train_steps} steps; {weights}."
    )


def _validated(study: Study, row: Row) -> float | None:
    """Mean over the folds of a row's best validation scores; None where there are none, or a run is
    not finished."""
    scores = rate_scores(study, row)
    if scores is None or not all(np.isfinite(list(s.values())).any() for s in scores):
        return None
    seeds = scored_runs(study, row, chosen_rates(study, row))
    trained = all(is_trained(study, run) for runs in seeds for run in runs)
    return float(np.mean([np.nanmax(list(s.values())) for s in scores])) if trained else None


def _scored(folders: Sequence[Sequence[pathlib.Path]]) -> tuple[list[list], np.ndarray | None]:
    """Test eyes of each seed, all folds one after the other; the masks of the first folder."""
    seeds = [
        [record for folder in of_seed for record in evaluation.read_records(folder)]
        for of_seed in folders
    ]
    return seeds, evaluation.read_masks(folders[0][0])

"""How far the runs of a comparison are: what was trained, what validation says of it, its cost."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data_pipelines.load.batches import eval_batches
from data_pipelines.load.stores import Store
from experiments import validation_log
from experiments.comparison.rows import Row
from experiments.comparison.settings import (
    Run,
    Study,
    config_of,
    restored,
    run_folder,
    scored_runs,
    tried_runs,
)
from experiments.comparison.stores import Stores
from experiments.prediction import SCORED
from experiments.run_folder import RunFolder, read_json
from experiments.runtime import UserError
from experiments.saved_run import TrainedRun
from imo_jax.atomic_files import write_json
from imo_jax.predictor.cost import prediction_cost
from imo_jax.train.loop import LoopConfig


def is_trained(study: Study, run: Run) -> bool:
    return training_state(run_folder(study, run))["state"] == "trained"


def training_seconds(study: Study, run: Run) -> float:
    return training_state(run_folder(study, run))["seconds"]


def rate_scores(study: Study, row: Row) -> list[dict[float, float]] | None:
    """Of each fold: rate -> best validation score of seed 0.

    It is -inf where the training diverged, NaN where no eye validates. None where a run is not
    finished yet.
    """
    scores: list[dict[float, float]] = [{} for _ in study.manifests]
    for run in tried_runs(study, row):
        folder = run_folder(study, run)
        state = training_state(folder)["state"]
        if state not in ("trained", "diverged"):
            return None
        of_fold = scores[run.fold]
        of_fold[run.rate] = -np.inf
        if state == "trained":
            of_fold[run.rate] = validation_score(folder, config_of(study, run).loop)
    return scores


def validation_score(folder: RunFolder, loop: LoopConfig) -> float:
    """The best value that the run's own selection saw; NaN where there is none."""
    if not folder.validation.exists():
        return np.nan
    best = validation_log.best(folder.validation, loop.best_metric, loop.best_mode)
    return best if loop.best_mode == "max" else -best


def chosen_rate(row: Row, scores: Mapping[float, float]) -> float:
    """The rate of a fold with the best validation score, the first of equals; the only one as it is.

    Raises:
      UserError: no rate has a score.
    """
    known = {rate: score for rate, score in scores.items() if np.isfinite(score)}
    if len(scores) == 1 and all(map(np.isnan, scores.values())):
        return next(iter(scores))  # trained, and nothing to choose among
    if not known:
        raise UserError(
            f"{row.name}: no validation score with any of the rates "
            f"{', '.join(f'{rate:g}' for rate in scores)}; give lower ones, and see that the val "
            "split has labels"
        )
    return max(known, key=known.get)


def chosen_rates(study: Study, row: Row) -> tuple[float, ...] | None:
    """The rate of each fold, chosen on its own validation eyes; None where a run is not finished.

    Raises:
      UserError: as chosen_rate.
    """
    scores = rate_scores(study, row)
    return None if scores is None else tuple(chosen_rate(row, of_fold) for of_fold in scores)


def cost_of(study: Study, row: Row, rates: Sequence[float], stores: Stores) -> dict:
    """The row's cost (measure_cost, measured once), and `train_s`, median over its runs."""
    runs = [run for seed in scored_runs(study, row, rates) for run in seed]
    path = study.out / row.name / f"cost-rate{rates[0]:g}.json"
    if not path.exists():
        store = stores.of(config_of(study, runs[0]))
        write_json(path, measure_cost(restored(study, runs[0]), store))
    seconds = float(np.median([training_seconds(study, run) for run in runs]))
    return read_json(path) | {"train_s": seconds}


def measure_cost(run: TrainedRun, store: Store) -> dict[str, Any]:
    """Cost of predicting one test eye as evaluation does, with all its samples."""
    batches = eval_batches(store, SCORED, batch_size=1, use_oct=run.config.model.use_oct)
    return prediction_cost(run.variables, next(iter(batches)), run.config.model, run.config.samples)


def training_file(folder: RunFolder) -> pathlib.Path:
    return folder.root / "training.json"


def training_state(folder: RunFolder) -> dict[str, Any]:
    """How far a training is ("new", "interrupted", "trained", "diverged"), and its seconds."""
    if not training_file(folder).exists():
        return {"state": "new", "seconds": 0.0}
    return read_json(training_file(folder))

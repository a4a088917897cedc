"""Training of a comparison's runs: each in a folder of its own, once; the learning rate chosen."""

import pathlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_pipelines.load.stores import Store
from data_pipelines.manifest import Manifest
from experiments import validation_log
from experiments.comparison.rows import TRAINED, Row
from experiments.comparison.settings import Study, locator_folder, row_config
from experiments.config import EyeRunConfig
from experiments.locator import locator_config
from experiments.presets import PRESETS
from experiments.reading import checked_manifest, prepared_store, used_labels
from experiments.run_folder import RunFolder, read_json
from experiments.run_train import run_train
from experiments.runtime import UserError, say
from experiments.saved_run import refuse_other_config
from experiments.squares import run_stages
from imo_jax.atomic_files import write_json
from imo_jax.train.loop import LoopConfig
from imo_jax.train.metric_log import NonFiniteLoss


@dataclass(frozen=True)
class Run:
    """One training of a row."""

    row: Row
    fold: int
    seed: int
    rate: float

    @property
    def name(self) -> str:
        """Where it lies in the study's folder."""
        return f"{self.row.name}/fold{self.fold}-seed{self.seed}-rate{self.rate:g}"


def run_folder(study: Study, run: Run) -> RunFolder:
    return RunFolder(study.out / run.name)


def config_of(study: Study, run: Run) -> EyeRunConfig:
    return row_config(study, run.row, run.fold, run.seed, run.rate)


def tried_runs(study: Study, row: Row) -> list[Run]:
    """The runs among which the learning rate is chosen: seed 0 of fold 0."""
    return [Run(row, 0, 0, rate) for rate in study.rates]


def scored_runs(study: Study, row: Row, rate: float) -> list[list[Run]]:
    """The runs whose test eyes count, with the chosen rate: seed -> one a fold."""
    folds = range(len(study.manifests))
    return [[Run(row, fold, seed, rate) for fold in folds] for seed in range(study.seeds)]


def train_run(study: Study, run: Run, stores: "Stores") -> int:
    """Trains a run, goes on with it, or does nothing where that is done; returns the exit code.

    Seconds of all calls are added up, but for one that was killed without a chance to say them.
    A run whose loss is no number any more counts as done: its rate was too high.

    Raises:
      UserError: bad input.
    """
    folder = run_folder(study, run)
    before = _training(folder)
    if before["state"] in ("trained", "diverged"):
        return 0
    say(f"== {run.name}")
    config = config_of(study, run)
    store = stores.of(config)
    if code := train_locator(study, run, stores):
        return code
    started, code = time.monotonic(), 0
    try:
        code = run_stages(config, folder.root, store)[0].exit_code
        state = "interrupted" if code else "trained"
    except UserError as error:
        if not isinstance(error.__cause__, NonFiniteLoss):
            raise
        say(str(error))
        state = "diverged"
    seconds = before["seconds"] + time.monotonic() - started
    write_json(_training_file(folder), {"state": state, "seconds": seconds})
    return code


def train_locator(study: Study, run: Run, stores: "Stores") -> int:
    """Trains the locator that all rows of a fold and seed share, where a run needs it and it is not
    there yet; the exit code.

    It is IMO's, at the learning rate of IMO's own recipe: the rates that are tried are the rows'.
    """
    config = config_of(study, run)
    folder = locator_folder(study, run.fold, run.seed)
    if config.squares.locator != str(folder) or (folder / "trained.json").exists():
        return 0
    rate = PRESETS["default"]().optimiser.learning_rate
    shared = row_config(study, TRAINED["imo"], run.fold, run.seed, rate)
    say(f"== the discs of fold {run.fold}, seed {run.seed}: found by one network for all rows")
    located = locator_config(shared)
    refuse_other_config(folder, located)
    result = run_train(located, folder, stores.of(shared))
    if not result.exit_code:
        write_json(folder / "trained.json", {"rate": rate})
    return result.exit_code


def is_trained(study: Study, run: Run) -> bool:
    return _training(run_folder(study, run))["state"] == "trained"


def training_seconds(study: Study, run: Run) -> float:
    return _training(run_folder(study, run))["seconds"]


def rate_scores(study: Study, row: Row) -> dict[float, float] | None:
    """Rate -> best validation score of seed 0 of fold 0, -inf where the training diverged.

    None where a run is not finished yet.
    """
    scores = {}
    for run in tried_runs(study, row):
        folder = run_folder(study, run)
        state = _training(folder)["state"]
        if state not in ("trained", "diverged"):
            return None
        scores[run.rate] = -np.inf
        if state == "trained":
            scores[run.rate] = validation_score(folder, config_of(study, run).loop)
    return scores


def validation_score(folder: RunFolder, loop: LoopConfig) -> float:
    """The best value that the run's own selection saw; -inf where there is none."""
    log = validation_log.read(folder.validation)[loop.best_metric].dropna()
    if log.empty:
        return -np.inf
    return float(log.max() if loop.best_mode == "max" else -log.min())


def chosen_rate(row: Row, scores: Mapping[float, float]) -> float:
    """The rate with the best validation score, the first of equals.

    Raises:
      UserError: no rate has a score.
    """
    best = max(scores, key=scores.get)
    if not np.isfinite(scores[best]):
        raise UserError(
            f"{row.name}: no validation score with any of the rates "
            f"{', '.join(f'{rate:g}' for rate in scores)}; give lower ones, and see that the val "
            "split has labels"
        )
    return best


class Stores:
    """The eyes of each manifest and grid, checked and prepared once."""

    def __init__(self) -> None:
        self._manifests: dict[Any, Manifest] = {}
        self._stores: dict[Any, Store] = {}

    def of(self, config: EyeRunConfig) -> Store:
        """The eyes that a run sees; UserError lists what is wrong with them."""
        data = config.data
        checked = (data.manifest, data.data_root, used_labels(config))
        if checked not in self._manifests:
            self._manifests[checked] = checked_manifest(config, ("train", "eval"))
            if not self._manifests[checked].split("val"):
                raise UserError(
                    f"{data.manifest} has no eye in the split 'val', on which a table chooses "
                    "learning rates and checkpoints"
                )
        grid = (*checked[:2], data.image_size, config.oct_shape, data.crop_to_field)
        if grid not in self._stores:
            self._stores[grid] = prepared_store(self._manifests[checked], config)
        return self._stores[grid]


def _training_file(folder: RunFolder) -> pathlib.Path:
    return folder.root / "training.json"


def _training(folder: RunFolder) -> dict[str, Any]:
    """How far a training is ("new", "interrupted", "trained", "diverged"), and its seconds."""
    if not _training_file(folder).exists():
        return {"state": "new", "seconds": 0.0}
    return read_json(_training_file(folder))

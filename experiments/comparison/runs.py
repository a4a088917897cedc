"""Training of a comparison's runs: each in a folder of its own, once; the learning rate chosen."""

import functools
import time
from collections.abc import Sequence

import jax

from experiments.comparison.evaluation import evaluate_run
from experiments.comparison.rows import TRAINED, Row
from experiments.comparison.settings import (
    Run,
    Study,
    check_extra,
    config_of,
    locator_folder,
    row_config,
    run_folder,
    scored_runs,
    tried_runs,
)
from experiments.comparison.state import (
    chosen_rates,
    cost_of,
    is_trained,
    training_file,
    training_state,
)
from experiments.comparison.stores import Stores
from experiments.locator import locator_config
from experiments.presets import PRESETS
from experiments.run_train import run_stages, run_train
from experiments.runtime import UserError, say
from experiments.saved_run import refuse_other_config
from experiments.studies import done_in_order
from imo_jax.atomic_files import write_json
from imo_jax.train.metric_log import NonFiniteLoss
from imo_jax.weights.pretrained import weights_path


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
            of_rate = scored_runs(study, row, [rate] * len(study.manifests))
            runs += [run for seed in of_rate for run in seed]
        for run in runs:
            refuse_other_config(run_folder(study, run).root, config_of(study, run), "--out")


def run_row(study: Study, row: Row, stores: Stores) -> int:
    """Chooses a row's learning rates, trains and scores its runs; returns the exit code."""
    if code := done_in_order(
        functools.partial(train_run, study, run, stores) for run in tried_runs(study, row)
    ):
        return code
    rates = chosen_rates(study, row)
    for seed in scored_runs(study, row, rates):
        for run in seed:
            if code := train_run(study, run, stores):
                return code
            if not is_trained(study, run):
                raise UserError(
                    f"{run.name} diverged, though seed 0 of its fold trained; give lower "
                    "--rates"
                )
            evaluate_run(study, run, stores)
    cost_of(study, row, rates, stores)
    jax.clear_caches()  # the next row is another network
    return 0


def train_run(study: Study, run: Run, stores: Stores) -> int:
    """Trains a run, goes on with it, or does nothing where that is done; returns the exit code.

    Seconds of all calls are added up, but for one that was killed without a chance to say them.
    A run whose loss is no number any more counts as done: its rate was too high.

    Raises:
      UserError: bad input.
    """
    folder = run_folder(study, run)
    before = training_state(folder)
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
    write_json(training_file(folder), {"state": state, "seconds": seconds})
    return code


def train_locator(study: Study, run: Run, stores: Stores) -> int:
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

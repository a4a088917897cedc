"""Test eyes of finished runs: scored once, kept on disk, read back for the tables."""

import pathlib
from collections.abc import Iterable

import numpy as np
import pandas as pd

from data_pipelines.load.stores import Store
from experiments.comparison.settings import Run, Study, restored, run_folder
from experiments.comparison.stores import Stores
from experiments.prediction import SCORED, predictions
from experiments.run_folder import replaced_folder
from experiments.runtime import UserError
from experiments.scoring import score_all
from experiments.squares import evaluation_store
from imo_jax.atomic_files import write_arrays, write_table
from imo_jax.metrics.eye_arrays import arrays_of, records_of
from imo_jax.metrics.imo_eye import EyeRecord, eye_row
from imo_jax.npz import read_npz
from imo_jax.predictor.batches import EyePrediction, mean_predictions

RECORDS, MASKS = "records.npz", "masks.npz"


def evaluate_run(study: Study, run: Run, stores: Stores) -> None:
    """Scores a run's test eyes, unless that is done."""
    folder = run_folder(study, run).evaluation
    if not (folder / RECORDS).exists():
        trained = restored(study, run)
        store = evaluation_store(trained, stores.of(trained.config))
        write_scored(folder, store, predictions(trained, store))


def ensemble_folder(study: Study, runs: tuple[Run, Run]) -> pathlib.Path:
    """Where the scores of a segmenter's run with IMO's lie."""
    first, second = runs
    rates = f"rate{first.rate:g}-rate{second.rate:g}"
    name = f"fold{first.fold}-seed{first.seed}-{first.row.name}-{second.row.name}-{rates}"
    return study.out / "ensemble" / name


def evaluate_ensemble(study: Study, runs: tuple[Run, Run], stores: Stores) -> None:
    """Scores two runs' mean probabilities on the test eyes, unless that is done."""
    folder = ensemble_folder(study, runs)
    if (folder / RECORDS).exists():
        return
    members = [restored(study, run) for run in runs]
    open_stores = [evaluation_store(member, stores.of(member.config)) for member in members]
    if open_stores[0].squares != open_stores[1].squares:
        raise UserError(
            "an ensemble of networks that each look at a square of their own is not made; leave "
            "out the row `ensemble` with --only"
        )
    each = [predictions(*pair) for pair in zip(members, open_stores, strict=True)]
    write_scored(folder, open_stores[0], mean_predictions(*each))


def write_scored(
    target: pathlib.Path, store: Store, predicted: Iterable[EyePrediction]
) -> list[EyeRecord]:
    """Writes records.npz, masks.npz (ids on the working square) and per_eye.csv to a folder."""
    masks: list[np.ndarray] = []

    def keep(prediction: EyePrediction, record: EyeRecord) -> None:
        if prediction.probabilities is not None:
            masks.append(prediction.probabilities.argmax(axis=-1).astype(np.uint8))

    records = score_all(store, SCORED, predicted, keep)
    with replaced_folder(target) as folder:
        write_table(folder / "per_eye.csv", pd.DataFrame([eye_row(record) for record in records]))
        if masks:
            write_arrays(folder / MASKS, {"ids": np.stack(masks)}, compressed=True)
        write_arrays(folder / RECORDS, arrays_of(records))
    return records


def read_masks(folder: pathlib.Path) -> np.ndarray | None:
    """(N, S, S) uint8 predicted ids of the test eyes; None of a network that segments nothing."""
    path = folder / MASKS
    return read_npz(path)["ids"] if path.exists() else None


def read_records(folder: pathlib.Path) -> list[EyeRecord]:
    """The records that `write_scored` wrote, as far as tables use them."""
    return records_of(read_npz(folder / RECORDS))

"""Test eyes of finished runs: scored once, kept on disk, read back for the tables."""

import pathlib
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from data_pipelines.load.stores import Store
from experiments.comparison.settings import Run, Study, restored, run_folder
from experiments.comparison.stores import Stores
from experiments.prediction import SCORED, EyePrediction, predictions
from experiments.run_folder import replaced_folder
from experiments.runtime import UserError
from experiments.scoring import score_all
from experiments.squares import evaluation_store
from imo_jax.labels import GRADE_NAMES
from imo_jax.metrics.imo_eye import EyeRecord, eye_row
from imo_jax.metrics.imo_summary import grade_names_of

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


def mean_predictions(
    first: Iterable[EyePrediction], second: Iterable[EyePrediction]
) -> Iterator[EyePrediction]:
    """Predictions with the mean of two networks' class probabilities; no grade, no samples.

    Raises:
      ValueError: they are not of the same eyes in the same order.
    """
    for one, other in zip(first, second, strict=True):
        if one.id != other.id:
            raise ValueError(f"an ensemble of different eyes: {one.id} and {other.id}")
        yield EyePrediction(
            index=one.index,
            id=one.id,
            grade_probabilities=None,
            probabilities=(one.probabilities + other.probabilities) / 2,
            sample_ids=None,
            entropy=None,
        )


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
        table = pd.DataFrame([eye_row(record) for record in records])
        table.to_csv(folder / "per_eye.csv", index=False)
        if masks:
            np.savez_compressed(folder / MASKS, ids=np.stack(masks))
        write_records(folder, records)
    return records


def read_masks(folder: pathlib.Path) -> np.ndarray | None:
    """(N, S, S) uint8 predicted ids of the test eyes; None of a network that segments nothing."""
    path = folder / MASKS
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["ids"]


LABELS = ("grade", "glaucoma")
OF_PREDICTION = ("vcdr_pred", "vcdr_sd")  # NaN: nothing found; None: nothing segmented
OF_MASK = ("vcdr_true", "uncertainty_auroc")
SUMS = ("bins", "brier", "nll", "pixels")


def write_records(folder: pathlib.Path, records: list[EyeRecord]) -> None:
    """Writes records of one network (it segments all eyes or none, and grades all or none)."""
    masked = [r for r in records if r["confusion"] is not None]
    graded = [r for r in records if r["grade_probabilities"] is not None]
    arrays = {
        "id": np.array([r["id"] for r in records], np.str_),
        "patient": np.array([r["patient"] for r in records], np.str_),
        **{
            name: np.array([-1 if r[name] is None else r[name] for r in records])
            for name in LABELS
        },
        "grade_names": np.array(grade_names_of(records), np.str_),
        "segmented": np.array([r["vcdr_pred"] is not None for r in records]),
        "cup_is_told": np.array([bool(r["cup_is_told"]) for r in records]),
        "masked": np.array([r["confusion"] is not None for r in records]),
        # None becomes NaN
        **{n: np.array([r[n] for r in records], np.float64) for n in OF_PREDICTION + OF_MASK},
    }
    if graded:
        arrays["grade_probabilities"] = np.stack([r["grade_probabilities"] for r in graded])
    if masked:
        arrays["confusion"] = np.stack([r["confusion"] for r in masked])
        arrays |= {name: np.stack([r["calibration"][name] for r in masked]) for name in SUMS}
    np.savez(folder / RECORDS, **arrays)


def read_records(folder: pathlib.Path) -> list[EyeRecord]:
    """The records that `write_records` wrote: without the measures of the disc and doubts, which no table uses."""
    with np.load(folder / RECORDS, allow_pickle=False) as file:
        arrays = dict(file)
    names = tuple(map(str, arrays.get("grade_names", GRADE_NAMES)))
    with_mask = iter(range(int(arrays["masked"].sum())))
    records = []
    for i, eye_id in enumerate(arrays["id"]):
        record: EyeRecord = {"id": str(eye_id), "patient": str(arrays["patient"][i])}
        record["grade_names"] = names
        for name in LABELS:
            value = int(arrays[name][i]) if name in arrays else -1
            record[name] = None if value < 0 else value
        graded = arrays.get("grade_probabilities")
        record["grade_probabilities"] = None if graded is None else graded[i]
        segmented, masked = arrays["segmented"][i], arrays["masked"][i]
        record |= {name: float(arrays[name][i]) if segmented else None for name in OF_PREDICTION}
        record |= {name: float(arrays[name][i]) if masked else None for name in OF_MASK}
        record["confusion"] = record["calibration"] = record["cup_is_told"] = None
        if masked:
            k = next(with_mask)
            record["confusion"] = arrays["confusion"][k]
            told = arrays.get("cup_is_told")  # none of earlier versions, in which the cup was scored
            record["cup_is_told"] = told is None or bool(told[i])
            record["calibration"] = {name: arrays[name][k] for name in SUMS}
        records.append(record)
    return records

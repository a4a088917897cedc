"""Promises about a network's errors: measured on validation eyes, held against test eyes."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from data_pipelines.load.stores import Store
from experiments.config import EyeRunConfig
from experiments.prediction import predict_split
from experiments.run_folder import RunFolder
from experiments.saved_run import TrainedRun
from experiments.scoring import score_all
from imo_jax.atomic_files import write_json
from imo_jax.checkpoints import restore_variables
from imo_jax.metrics import bootstrap
from imo_jax.metrics.imo_eye import EyeRecord
from imo_jax.predictor.answers import how_asked
from imo_jax.predictor.calibration import (
    EyeCalibration,
    cdr_errors,
    graded,
    with_grades,
    with_ratios,
)

SPLIT = "val"
KEYS = ("cdr_interval_coverage", "grade_set_coverage", "grade_set_size")


def calibrate(folder: RunFolder, config: EyeRunConfig, store: Store) -> EyeCalibration | None:
    """Measures a run's best checkpoint on the validation split and writes calibration.json.

    Returns None, and writes nothing, where there are no validation eyes.
    """
    if not store.num(SPLIT):
        return None
    variables, step = restore_variables(folder.checkpoints)
    records = validation_records(variables, store, config)
    found = EyeCalibration.fit(records, step=step, asked=asked_how(config))
    write_json(folder.calibration, dataclasses.asdict(found))
    return found


def asked_how(config: EyeRunConfig) -> dict[str, Any]:
    """How evaluation asks a run's network."""
    return how_asked(config.model, config.samples, config.evaluation.mirror)


def validation_records(
    variables: Any,
    store: Store,
    config: EyeRunConfig,
    between: Callable[[], None] = lambda: None,
) -> list[EyeRecord]:
    """Records of the validation eyes, predicted as evaluation does: compiled once for both."""
    predictions = predict_split(variables, store, SPLIT, config, between=between)
    return score_all(store, SPLIT, predictions)


def applicable(run: TrainedRun) -> EyeCalibration | str:
    """The calibration of a run where it predicts as it was measured; else why there is none."""
    calibration = run.calibration
    if isinstance(calibration, str):
        return calibration
    return calibration.mismatch(asked_how(run.config)) or calibration


def cdr_range(run: TrainedRun, record: EyeRecord) -> tuple[float, float] | None:
    """Interval of an eye's vertical cup-to-disc ratio; None without a disc or a calibration."""
    calibration = applicable(run)
    return None if isinstance(calibration, str) else calibration.cdr_interval(record["vcdr_pred"])


def kept_promises(
    run: TrainedRun, records: Sequence[EyeRecord], *, resamples: int, seed: int
) -> dict[str, Any]:
    """How often the intervals and sets of a calibration hold the truth of other eyes.

    Args:
      run: that the records are of.
      records: of the test eyes.
      resamples, seed: of the bootstrap.

    Returns:
      `cdr_interval_coverage` and `grade_set_coverage`, shares of eyes, and `grade_set_size`, mean
      number of grades in a set: {"value", "low", "high"}, or None; and `calibration`, what it was.
    """
    found: dict[str, Any] = dict.fromkeys(KEYS)
    calibration = applicable(run)
    if isinstance(calibration, str):
        return found | {"calibration": calibration}

    def interval(values: np.ndarray, eyes: Sequence[EyeRecord]) -> bootstrap.Interval:
        rng = np.random.default_rng(seed)
        weights = bootstrap.patient_weights([r["patient"] for r in eyes], resamples, rng)
        return bootstrap.interval(bootstrap.weighted_mean(values.astype(np.float64)), weights)

    measured = with_ratios(records)
    if calibration.cdr_error is not None and measured:
        inside = cdr_errors(measured) <= calibration.cdr_error
        found["cdr_interval_coverage"] = interval(inside, measured)
    both = with_grades(records)
    merged = run.grades is not None and run.grades.merges  # the bound is of the network's own grades
    if calibration.grade_score is not None and both and not merged:
        probabilities, truth = graded(both)
        sets = calibration.grade_set(probabilities)
        found["grade_set_coverage"] = interval(sets[np.arange(len(truth)), truth], both)
        found["grade_set_size"] = interval(sets.sum(axis=-1), both)
    return found | {"calibration": dataclasses.asdict(calibration)}

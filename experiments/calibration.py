"""Promises about a network's errors: measured on validation eyes, kept beside the run."""

import dataclasses
from collections.abc import Callable
from typing import Any

from data_pipelines.load.stores import Store
from experiments.config import EyeRunConfig
from experiments.prediction import predict_split
from experiments.run_folder import RunFolder
from experiments.saved_run import TrainedRun
from experiments.scoring import score_all
from imo_jax.atomic_files import write_json
from imo_jax.checkpoints import restore_variables
from imo_jax.metrics.imo_eye import EyeRecord
from imo_jax.predictor.answers import how_asked
from imo_jax.predictor.calibration import EyeCalibration

SPLIT = "val"


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

"""Stage 1 of SEMT: features learned from classes, and the visual fields that they let borrow."""

import dataclasses
import os
import pathlib

import numpy as np
import pandas as pd

from data_pipelines.load.screening_stores import ScreeningStore
from experiments.run_folder import RunFolder
from experiments.runtime import UserError, say
from experiments.saved_run import TrainedScreening
from experiments.screening.config import ScreeningConfig
from experiments.screening.methods import METHODS
from experiments.screening.prediction import descriptors
from imo_jax.surrogate.labels import Surrogates, assign, loan_rows


def stage1_config(config: ScreeningConfig) -> ScreeningConfig:
    """The run that learns the features: the same, from class labels alone."""
    return dataclasses.replace(
        config,
        method="2d",
        model=dataclasses.replace(config.model, network=METHODS["2d"].network),
        surrogate=dataclasses.replace(config.surrogate, stage1=None),
    )


def stage1_folder(config: ScreeningConfig, workdir: str | pathlib.Path) -> pathlib.Path:
    """Where the features come from: the run that the user names, or one in this run's folder."""
    if config.surrogate.stage1 is not None:
        return pathlib.Path(config.surrogate.stage1)
    return pathlib.Path(workdir) / "stage1"


def surrogate_fields(
    config: ScreeningConfig,
    workdir: str | pathlib.Path,
    store: ScreeningStore,
    rows: np.ndarray,
    stage1: TrainedScreening,
) -> Surrogates:
    """Borrows the visual fields that training volumes lack, and writes who lent to whom.

    A pure function of the stage-1 network and the volumes: a resumed run borrows the same.

    Args:
      config: of the SEMT run.
      workdir: its folder; the table of loans goes there.
      store: the volumes.
      rows: positions in the training split that take part.
      stage1: the network whose features are compared.

    Raises:
      UserError: a class has volumes without a visual field, and none that could lend one.
    """
    features = descriptors(
        stage1.variables, store, "train", stage1.config, config.surrogate.pooling
    )
    try:
        found = assign(
            features[rows],
            store.glaucoma("train")[rows],
            store.vf("train")[rows],
            store.has_vf("train")[rows],
            k=config.surrogate.neighbours,
            weighting=config.surrogate.weighting,
        )
    except ValueError as error:
        raise UserError(f"{config.data.manifest}: {error}") from error
    ids, patients = (
        np.asarray(names)[rows].tolist() for names in (store.ids("train"), store.patients("train"))
    )
    loans = loan_rows(found, ids, patients, store.glaucoma("train")[rows])
    write_table(RunFolder(pathlib.Path(workdir)).surrogates, pd.DataFrame(loans))
    say(f"surrogates: {len(found.borrower)} of {len(rows)} training volumes borrow a visual field")
    return found


def write_table(path: pathlib.Path, table: pd.DataFrame) -> None:
    """Writes a CSV whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}")
    table.to_csv(part, index=False)
    os.replace(part, path)

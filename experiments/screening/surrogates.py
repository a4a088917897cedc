"""The visual fields that training volumes lack, borrowed by the features that stage 1 learned."""

import pathlib

import numpy as np
import pandas as pd

from data_pipelines.load.screening_stores import ScreeningStore
from experiments.run_folder import RunFolder
from experiments.runtime import UserError, say
from experiments.saved_run import TrainedScreening, restore_screening
from experiments.screening.config import ScreeningConfig
from imo_jax.atomic_files import write_table
from imo_jax.predictor.run import volume_settings
from imo_jax.predictor.volume_batches import descriptors
from imo_jax.settings.fields import EVALUATE, changeable, differences
from imo_jax.surrogate.labels import Surrogates, assign, loan_rows
from imo_jax.train import processes

Fields = tuple[np.ndarray, np.ndarray]  # (N, 3) float32 and (N, 3) bool, of a split's volumes


def refuse_other_stage1(folder: pathlib.Path, wanted: ScreeningConfig) -> None:
    """UserError where the run in `folder` is not one that `wanted` could have made."""
    found = restore_screening(folder, {}, "best", ScreeningConfig).config
    differing = differences(
        found.data, wanted.data, ignore=changeable(type(wanted), EVALUATE)
    )
    if found.method != wanted.method or differing:
        raise UserError(
            f"stage1={folder} is a run with --method={found.method}"
            + "".join(f"\n  {line}" for line in differing)
            + "\nname one with --method=2d and the same image settings"
        )


def borrowed(
    config: ScreeningConfig,
    workdir: str | pathlib.Path,
    store: ScreeningStore,
    rows: np.ndarray,
    fields: Fields,
) -> Fields:
    """The visual fields of the training split with what `rows` lack filled in.

    Process 0 has the stage-1 network, and sends to the others what it found.
    """
    vf, has_vf = (values.copy() for values in fields)
    has_vf[rows] |= has_vf[rows].any(axis=0)  # What nobody has, nobody lends.
    with processes.all_or_none():
        if processes.is_first():
            stage1 = restore_screening(config.stage1_folder(workdir), {}, "best", ScreeningConfig)
            vf[rows] = surrogate_fields(config, workdir, store, rows, stage1).vf
    return processes.arrays_of_first(vf), has_vf


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
    asked = volume_settings(stage1.config)
    features = descriptors(stage1.variables, store, "train", asked, config.surrogate.pooling)
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

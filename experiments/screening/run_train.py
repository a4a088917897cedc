"""Training of a screening run: one network, or SEMT's two stages, from prepared volumes."""

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from data_pipelines.load.screening_batches import (
    image_shape,
    train_cube_batches,
    train_scan_batches,
)
from data_pipelines.load.screening_stores import ScreeningStore
from experiments.run_folder import RunFolder
from experiments.runtime import UserError, say
from experiments.saved_run import refuse_other_config
from experiments.screening.config import ScreeningConfig
from experiments.screening.prediction import predict_volumes, records
from experiments.screening.reading import training_rows
from experiments.screening.surrogates import Fields, borrowed, refuse_other_stage1
from experiments.training import holds_its_folder, train_network, write_config
from imo_jax.augment.augmentation import of_images
from imo_jax.metrics.screening_summary import chosen_thresholds, screening_summary
from imo_jax.metrics.validation_score import point_values
from imo_jax.train import processes
from imo_jax.train.loop import Result
from imo_jax.train.screening_objective import ScreeningObjective

NO_VALIDATION = (
    "no volume is in the split 'val': nothing chooses a checkpoint or a threshold, or stops early; "
    "the network of the last step counts"
)
HOST_ONLY = ("row", "scan_number")  # of a batch; the step has no use for them
BACKBONE = ("backbone",)  # where its parameters lie


@holds_its_folder
def run_train(
    config: ScreeningConfig, workdir: str | pathlib.Path, store: ScreeningStore
) -> Result:
    """Trains until the end, or goes on where an earlier call was interrupted.

    Raises:
      UserError: bad settings, a class without donors, a loss that is not finite, or another
        program is at work in the folder.
    """
    rows = training_rows(config, store)
    fields = store.vf("train"), store.has_vf("train")
    write_config_of(config, workdir)
    if config.recipe.surrogates:
        stage1 = run_stage1(config, workdir, store)
        if stage1 is not None and stage1.exit_code:
            return stage1
        fields = borrowed(config, workdir, store, rows, fields)
        say("stage 2: the multi-task network learns from classes and visual fields")
    return train_stage(config, pathlib.Path(workdir), store, rows, fields)


@holds_its_folder
def run_surrogate(
    config: ScreeningConfig, workdir: str | pathlib.Path, store: ScreeningStore
) -> int:
    """Stage 1 and what it lends, without stage 2; returns the exit code.

    Raises:
      UserError: the method has no such stage, or as run_train.
    """
    if not config.recipe.surrogates:
        raise UserError(f"--method={config.method} borrows no visual fields; use --method=semt")
    rows = training_rows(config, store)
    write_config_of(config, workdir)
    stage1 = run_stage1(config, workdir, store)
    if stage1 is not None and stage1.exit_code:
        return stage1.exit_code
    borrowed(config, workdir, store, rows, (store.vf("train"), store.has_vf("train")))
    return 0


def write_config_of(config: ScreeningConfig, workdir: str | pathlib.Path) -> None:
    """Writes the settings into the run's folder, once for all processes."""
    processes.in_first(lambda: write_config(config, RunFolder(pathlib.Path(workdir))))


def run_stage1(
    config: ScreeningConfig, workdir: str | pathlib.Path, store: ScreeningStore
) -> Result | None:
    """Trains the network whose features are compared; None where the user names a trained one.

    Raises:
      UserError: the run that the user names is none that can be used.
    """
    folder, wanted = config.stage1_folder(workdir), config.stage1()
    if config.surrogate.stage1 is not None:
        processes.in_first(lambda: refuse_other_stage1(folder, wanted))
        return None
    say("stage 1: a ResNet learns features from classes alone")
    processes.in_first(lambda: refuse_other_config(folder, wanted))
    write_config_of(wanted, folder)
    fields = store.vf("train"), store.has_vf("train")
    return train_stage(wanted, folder, store, training_rows(wanted, store), fields)


def train_stage(
    config: ScreeningConfig,
    root: pathlib.Path,
    store: ScreeningStore,
    rows: np.ndarray,
    fields: Fields,
) -> Result:
    """Trains one network in the folder `root` on the volumes `rows` with their visual fields.

    Where none is in the split "val", no checkpoint is chosen and the last one counts.
    """
    in_parts = dataclasses.replace(config.optimiser, accumulation=config.accumulation)
    scores = functools.partial(validation_scores, store, config) if store.num("val") else None
    return train_network(
        dataclasses.replace(config, optimiser=in_parts),
        RunFolder(root),
        title=config.recipe.title,
        sees=sees(config),
        encoder=BACKBONE,
        objective=ScreeningObjective(config.model, config.objective),
        batches=functools.partial(training_batches, store, config, rows, fields),
        scores=scores,
        no_validation=NO_VALIDATION,
        augmentation=of_images(config.augment, *seen(config, store)),
    )


def seen(config: ScreeningConfig, store: ScreeningStore) -> tuple[str, tuple[int, ...]]:
    """Which part of the store a training sees, "scan" or "cube", and the shape of one."""
    if config.recipe.whole_volumes:
        return "cube", config.crop or image_shape(store.grid, "cube")
    return "scan", image_shape(store.grid, "scan")


def sees(config: ScreeningConfig) -> str:
    """What the network is shown, in words."""
    _, cube_shape, *_ = config.grid
    if cube_shape is not None:
        of = "cubes of" if config.crop is None else f"parts of {_voxels(config.crop)} of volumes of"
        return f"{of} {_voxels(cube_shape)} voxels"
    return f"three adjacent B-scans of {config.data.scan_size} pixels"


def _voxels(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def training_batches(
    store: ScreeningStore,
    config: ScreeningConfig,
    rows: np.ndarray,
    fields: Fields,
    start_step: int,
) -> Iterator[dict[str, Any]]:
    """This process's share of the batches from `start_step` on, with the fields to learn from."""
    make = (
        functools.partial(train_cube_batches, crop=config.crop)
        if config.recipe.whole_volumes
        else train_scan_batches
    )
    vf, has_vf = fields
    with contextlib.closing(
        make(
            store,
            "train",
            batch_size=config.data.batch_size,
            seed=config.seed,
            start_step=start_step,
            right_as_left=config.augment.right_as_left,
            rows=rows,
            shard=processes.place(),
        )
    ) as batches:
        for batch in batches:
            row = batch["row"]
            kept = {name: value for name, value in batch.items() if name not in HOST_ONLY}
            yield {**kept, "vf": vf[row], "has_vf": has_vf[row]}


def validation_scores(
    store: ScreeningStore, config: ScreeningConfig, variables: Any, between: Callable[[], None]
) -> dict[str, float]:
    """Point scores on the validation split, and the thresholds that it chooses."""
    how = {"between": between, "stride": config.evaluation.validation_stride}
    found = records(store, "val", predict_volumes(variables, store, "val", config, **how))
    values = point_values(screening_summary(found, resamples=1))
    return values | {f"{level}_threshold": t for level, t in chosen_thresholds(found).items()}

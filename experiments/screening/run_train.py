"""Training of a screening run: one network, or SEMT's two stages, from prepared volumes."""

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from data_pipelines.load.screening_batches import train_cube_batches, train_scan_batches
from data_pipelines.load.screening_stores import ScreeningStore
from experiments import validation_log
from experiments.run_folder import RunFolder
from experiments.runtime import UserError, say
from experiments.saved_run import refuse_other_config, restore_screening
from experiments.screening.config import ScreeningConfig
from experiments.screening.prediction import predict_volumes, records
from experiments.screening.reading import training_rows
from experiments.screening.run_surrogate import stage1_config, stage1_folder, surrogate_fields
from experiments.training import (
    devices_for,
    first_line,
    holds_its_folder,
    train_network,
    with_pretrained,
)
from imo_jax.atomic_files import write_json
from imo_jax.metrics.screening_summary import chosen_thresholds, screening_summary
from imo_jax.models.variables import initial_variables
from imo_jax.settings.fields import EVALUATE, changeable, differences
from imo_jax.settings.saved import to_json
from imo_jax.train import processes
from imo_jax.train.initial import draw
from imo_jax.train.interrupt import Interrupt
from imo_jax.train.loop import Result
from imo_jax.train.screening_objective import ScreeningObjective

NO_VALIDATION = (
    "no volume is in the split 'val': nothing chooses a checkpoint or a threshold, or stops early; "
    "the network of the last step counts"
)
Fields = tuple[np.ndarray, np.ndarray]  # (N, 3) float32 and (N, 3) bool, of a split's volumes
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
    write_config(config, workdir)
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
    write_config(config, workdir)
    stage1 = run_stage1(config, workdir, store)
    if stage1 is not None and stage1.exit_code:
        return stage1.exit_code
    borrowed(config, workdir, store, rows, (store.vf("train"), store.has_vf("train")))
    return 0


def write_config(config: ScreeningConfig, workdir: str | pathlib.Path) -> None:
    """Writes the settings into the run's folder."""
    path = RunFolder(pathlib.Path(workdir)).config
    processes.in_first(functools.partial(write_json, path, to_json(config, config.kind)))


def run_stage1(
    config: ScreeningConfig, workdir: str | pathlib.Path, store: ScreeningStore
) -> Result | None:
    """Trains the network whose features are compared; None where the user names a trained one.

    Raises:
      UserError: the run that the user names is none that can be used.
    """
    folder, wanted = stage1_folder(config, workdir), stage1_config(config)
    if config.surrogate.stage1 is not None:
        processes.in_first(lambda: refuse_other_stage1(folder, wanted))
        return None
    say("stage 1: a ResNet learns features from classes alone")
    processes.in_first(lambda: refuse_other_config(folder, wanted))
    write_config(wanted, folder)
    fields = store.vf("train"), store.has_vf("train")
    return train_stage(wanted, folder, store, training_rows(wanted, store), fields)


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
            stage1 = restore_screening(stage1_folder(config, workdir), {}, "best", ScreeningConfig)
            vf[rows] = surrogate_fields(config, workdir, store, rows, stage1).vf
    return processes.arrays_of_first(vf), has_vf


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
    folder = RunFolder(root)
    devices = devices_for(config.data.batch_size, config.accumulation)
    variables = draw(functools.partial(initial_variables, config.model), config.seed)
    if config.pretrained is not None:
        variables = with_pretrained(variables, config.pretrained, BACKBONE)
    say(
        first_line(
            config.recipe.title,
            variables,
            config.model.dtype,
            sees(config),
            config.data.batch_size,
            config.loop.train_steps,
            devices,
        )
    )
    checked = functools.partial(validate, store=store, config=config, log=folder.validation)
    if not store.num("val"):
        checked = None
        say(NO_VALIDATION)
    return train_network(
        folder,
        variables,
        objective=ScreeningObjective(config.model, config.objective),
        batches=functools.partial(training_batches, store, config, rows, fields),
        validate=checked,
        optimiser=dataclasses.replace(config.optimiser, accumulation=config.accumulation),
        loop=config.loop,
        seed=config.seed,
        devices=devices,
        encoder=BACKBONE,
    )


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
            augment_config=config.augment,
            rows=rows,
            shard=processes.place(),
        )
    ) as batches:
        for batch in batches:
            row = batch["row"]
            kept = {name: value for name, value in batch.items() if name not in HOST_ONLY}
            yield {**kept, "vf": vf[row], "has_vf": has_vf[row]}


def validate(
    variables: Any,
    step: int,
    interrupt: Interrupt,
    *,
    store: ScreeningStore,
    config: ScreeningConfig,
    log: pathlib.Path,
) -> dict[str, float]:
    """Point scores on the validation split; `best_metric` among them decides which step is best."""
    predictions = predict_volumes(
        variables, store, "val", config, interrupt.check, config.evaluation.validation_stride
    )
    found = records(store, "val", predictions)
    summary = screening_summary(found, resamples=1)
    values = {name: v["value"] for name, v in summary.items() if isinstance(v, dict)}
    values |= {f"{level}_threshold": t for level, t in chosen_thresholds(found).items()}
    validation_log.append(log, step, values)
    return values

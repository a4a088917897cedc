"""Training of an IMO run, from a manifest to checkpoints."""

import functools
import os
import pathlib
from typing import Any

import jax
import numpy as np

from data_pipelines.load.batches import eval_batches, train_batches
from data_pipelines.load.stores import Store
from experiments import flag_fields, validation_log
from experiments.config import FREE_TO_CHANGE, RunConfig
from experiments.drawing import validation_images
from experiments.prediction import predict_batches
from experiments.reading import checked_manifest, prepared_store
from experiments.run_folder import RunFolder, write_json
from experiments.runtime import UserError, describe_devices, say
from experiments.scoring import fit_baseline, score_all, validation_metrics
from experiments.trained_run import initial_variables, read_config
from imo_jax.checkpoints import CheckpointMismatch, Checkpoints
from imo_jax.train import parallel
from imo_jax.train.imo_objective import ImoObjective
from imo_jax.train.interrupt import Interrupt
from imo_jax.train.loop import Result, train
from imo_jax.train.metric_log import NonFiniteLoss
from imo_jax.train.optimiser import learning_rate, make_optimiser
from imo_jax.train.state import create
from imo_jax.train.step import train_step
from imo_jax.train.tensorboard import TensorBoard
from imo_jax.train.weight_decay import DECAY_MASKS


# Compiler options of a program that runs once: what optimising it costs is never earned back.
RUN_ONCE = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def run_train(config: RunConfig, workdir: str) -> Result:
    """Trains until the end, or goes on where an earlier call was interrupted.

    Raises:
      UserError: bad input, a differing configuration, or a loss that is not finite.
    """
    folder = RunFolder(pathlib.Path(workdir))
    refuse_other_config(folder, config)
    manifest = checked_manifest(
        config.data.manifest, config.data.data_root, ("train",), config.model
    )
    devices = devices_for(config)
    store = prepared_store(manifest, config)
    draw = jax.jit(functools.partial(initial_variables, config), compiler_options=RUN_ONCE)
    variables = jax.device_get(draw())
    say(first_line(config, variables, devices))
    write_json(folder.config, flag_fields.to_dict(config))
    save_baseline(folder, fit_baseline(store, "train"))
    try:
        return _train(config, folder, store, variables, devices)
    except (NonFiniteLoss, CheckpointMismatch) as error:
        raise UserError(str(error)) from error


def _train(
    config: RunConfig, folder: RunFolder, store: Store, variables: Any, devices: int
) -> Result:
    rate = learning_rate(config.optimiser, config.loop.train_steps)
    optimiser = make_optimiser(
        config.optimiser, rate, DECAY_MASKS[config.optimiser.weight_decay_on]
    )
    step = functools.partial(
        train_step,
        objective=ImoObjective(config.model, config.objective, config.loop.train_steps),
        optimiser=optimiser,
        rate=rate,
        key=jax.random.key(config.seed),
        ema_decay=config.optimiser.ema_decay,
        ema_start=config.optimiser.ema_start,
        axis_name=parallel.AXIS,
    )
    validation = functools.partial(validate, store=store, config=config, log=folder.validation)
    with Checkpoints(folder.checkpoints, keep_last=config.loop.keep_last) as checkpoints:
        board = TensorBoard(folder.tensorboard, max(checkpoints.steps(), default=0))
        try:
            return train(
                create(variables, optimiser, keep_ema=config.optimiser.ema_decay > 0),
                step=step,
                batches=functools.partial(training_batches, store, config),
                validate=validation,
                checkpoints=checkpoints,
                config=config.loop,
                accumulation=config.optimiser.accumulation,
                num_devices=devices,
                tensorboard=board,
                draw=functools.partial(validation_images, store=store, config=config),
            )
        finally:
            board.close()


def training_batches(store: Store, config: RunConfig, start_step: int):
    """Batches of the steps from `start_step` on."""
    return train_batches(
        store,
        "train",
        batch_size=config.data.batch_size,
        seed=config.seed,
        start_step=start_step,
        augment_config=config.augment,
        use_oct=config.model.use_oct,
    )


def validate(
    variables: Any,
    step: int,
    interrupt: Interrupt,
    *,
    store: Store,
    config: RunConfig,
    log: pathlib.Path,
) -> dict[str, float]:
    """Point scores on the validation split; `score` among them decides which step is the best."""
    batches = eval_batches(
        store,
        "val",
        batch_size=config.evaluation.eval_batch_size,
        use_oct=config.model.use_oct,
    )
    predictions = predict_batches(
        variables,
        batches,
        config.model,
        samples=config.evaluation.eval_samples,  # as evaluation does: compiled once for both
        between=interrupt.check,
    )
    metrics = validation_metrics(score_all(store, "val", predictions))
    validation_log.append(log, step, metrics)
    return metrics


def devices_for(config: RunConfig) -> int:
    """Devices of this process to train on; UserError where the batch cannot be cut."""
    devices = jax.local_device_count()
    try:
        parallel.check_batch_size(config.data.batch_size, devices, config.optimiser.accumulation)
    except ValueError as error:
        raise UserError(str(error)) from error
    return devices


def refuse_other_config(folder: RunFolder, config: RunConfig) -> None:
    """UserError where the folder holds a run of other settings, with the differences."""
    if not folder.config.exists():
        return
    changed = flag_fields.differences(read_config(folder), config, ignore=FREE_TO_CHANGE)
    if changed:
        raise UserError(
            f"{folder.root} holds a run with other settings (there -> now):\n  "
            + "\n  ".join(changed)
            + "\nchoose another --workdir, or give the same settings to go on with it"
        )


def save_baseline(folder: RunFolder, baseline: dict[str, np.ndarray]) -> None:
    """Writes baseline.npz whole or not at all."""
    part = folder.baseline.with_name(".baseline.npz")
    with part.open("wb") as file:
        np.savez(file, **baseline)
    os.replace(part, folder.baseline)


def first_line(config: RunConfig, variables: Any, devices: int) -> str:
    """What runs where: network, parameters, precision, devices."""
    parameters = sum(x.size for x in jax.tree.leaves(variables["params"]))
    return (
        f"IMO with {parameters:,} parameters in {config.model.dtype}, images of "
        f"{config.augment.crop_size} pixels, batch {config.data.batch_size}, "
        f"{config.loop.train_steps} steps on {describe_devices()}"
        + (f", {devices} devices a step" if devices > 1 else "")
    )

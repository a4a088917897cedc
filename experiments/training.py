"""A training as every program runs it: its folder held, optimiser, checkpoints, TensorBoard, loop."""

import contextlib
import functools
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

import jax
import numpy as np

from experiments.run_folder import RunFolder
from experiments.run_lock import locked
from experiments.runtime import UserError, describe_devices, say
from experiments.saved_run import refuse_other_config
from imo_jax.checkpoints import CheckpointMismatch, Checkpoints
from imo_jax.train import parallel, processes
from imo_jax.train.loop import Batches, LoopConfig, Result, train
from imo_jax.train.metric_log import NonFiniteLoss
from imo_jax.train.objectives import Objective
from imo_jax.train.optimiser import OptimiserConfig, learning_rate, make_optimiser
from imo_jax.train.packing import decays
from imo_jax.train.state import create
from imo_jax.train.step import train_step
from imo_jax.train.tensorboard import TensorBoard
from imo_jax.train.weight_decay import DECAY_MASKS
from imo_jax.weights.pretrained import load_pretrained, weights_path

Config, Returned = TypeVar("Config"), TypeVar("Returned")
Rest = ParamSpec("Rest")
Folder = str | pathlib.Path


def holds_its_folder(
    work: Callable[Concatenate[Config, Folder, Rest], Returned],
) -> Callable[Concatenate[Config, Folder, Rest], Returned]:
    """Makes `work(config, workdir, ...)` hold the lock of `workdir` before it reads or writes there.

    Of several processes the first holds it, and none works where it cannot. Under the lock the
    settings are held against the folder's once more: another program may have begun there since
    they were.
    """

    @functools.wraps(work)
    def holding(config: Config, workdir: Folder, *args: Rest.args, **kwargs: Rest.kwargs) -> Returned:
        with contextlib.ExitStack() as stack:
            with processes.all_or_none():
                if processes.is_first():
                    stack.enter_context(locked(pathlib.Path(workdir)))
                    refuse_other_config(workdir, config)
            return work(config, workdir, *args, **kwargs)

    return holding


def check_weights(pretrained: str | None) -> None:
    """UserError where a run's pretrained weights are not there, before anything is prepared."""
    if pretrained is None:
        return
    try:
        weights_path(pretrained)
    except (OSError, ImportError) as error:
        raise UserError(f"pretrained={pretrained}: {error}") from error


def with_pretrained(variables: Any, path: str, at: tuple[str, ...]) -> Any:
    """`variables` with the backbone at `at` replaced by a file's; says what was loaded.

    Of several processes the first reads the file: the training starts from its variables.

    Raises:
      UserError: the file cannot be read, or is not of this backbone.
    """
    with processes.all_or_none():
        if not processes.is_first():
            return variables
        try:
            variables, line = load_pretrained(path, variables, at)
        except (OSError, ImportError, ValueError) as error:
            raise UserError(f"pretrained={path}: {error}") from error
    say(f"{path}: {line}")
    return variables


def devices_for(batch_size: int, accumulation: int) -> int:
    """Devices of this process to train on; UserError where the batch cannot be cut over all."""
    devices = jax.local_device_count()
    try:
        parallel.check_batch_size(batch_size, devices * processes.count(), accumulation)
    except ValueError as error:
        raise UserError(str(error)) from error
    return devices


def train_network(
    folder: RunFolder,
    variables: Any,
    *,
    objective: Objective,
    batches: Callable[[int], Batches],
    validate: Callable[..., Mapping[str, float]] | None,
    optimiser: OptimiserConfig,
    loop: LoopConfig,
    seed: int,
    devices: int,
    encoder: tuple[str, ...],
    draw: Callable[[dict, int], Mapping[str, np.ndarray]] | None = None,
) -> Result:
    """Trains the network of `variables` in `folder`, or goes on where that was interrupted.

    Of several processes the first reads and writes the folder and reports.

    Args:
      folder: where checkpoints and TensorBoard's files go.
      variables: before training, {"params", "batch_stats"}.
      objective: what is minimised.
      batches, validate, draw: see `imo_jax.train.loop.train`.
      optimiser, loop: settings.
      seed: of every draw in the steps.
      devices: from devices_for.
      encoder: where the encoder's parameters lie.

    Raises:
      UserError: a loss that is not finite, or a checkpoint of another network.
    """
    rate = learning_rate(optimiser, loop.train_steps)
    decay_mask = DECAY_MASKS[optimiser.weight_decay_on]
    adamw = make_optimiser(optimiser, rate, decays, encoder)
    step = functools.partial(
        train_step,
        objective=objective,
        optimiser=adamw,
        rate=rate,
        ema_decay=optimiser.ema_decay,
        ema_start=optimiser.ema_start,
        axis_name=parallel.AXIS,
    )
    with contextlib.ExitStack() as stack:
        checkpoints, board, stream = None, None, None
        if processes.is_first():
            stack.enter_context(locked(folder.root))
            checkpoints = stack.enter_context(
                Checkpoints(folder.checkpoints, keep_last=loop.keep_last)
            )
            board = TensorBoard(folder.tensorboard, max(checkpoints.steps(), default=0))
            stack.callback(board.close)
        else:
            stream = stack.enter_context(open(os.devnull, "w"))
        try:
            return train(
                create(
                    variables,
                    adamw,
                    decay_mask=decay_mask,
                    keep_ema=optimiser.ema_decay > 0,
                ),
                step=step,
                key=jax.random.key(seed),
                batches=batches,
                validate=validate,
                checkpoints=checkpoints,
                config=loop,
                accumulation=optimiser.accumulation,
                num_devices=devices,
                tensorboard=board,
                draw=draw,
                stream=stream,
            )
        except (NonFiniteLoss, CheckpointMismatch) as error:
            raise UserError(str(error)) from error


def first_line(
    name: str, variables: Any, dtype: str, sees: str, batch_size: int, steps: int, devices: int
) -> str:
    """What runs where: network, parameters, precision, images, devices."""
    parameters = sum(x.size for x in jax.tree.leaves(variables["params"]))
    return (
        f"{name} with {parameters:,} parameters in {dtype}, {sees}, batch {batch_size}, "
        f"{steps} steps on {describe_devices()}"
        + (f", {devices * processes.count()} devices a step" if devices > 1 else "")
    )

"""A training as every program runs it: its folder held, optimiser, checkpoints, TensorBoard, loop."""

import contextlib
import functools
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

import jax
import numpy as np

from experiments import validation_log
from experiments.run_folder import RunFolder
from experiments.run_lock import locked
from experiments.runtime import UserError, say
from experiments.saved_run import refuse_other_config
from imo_jax.atomic_files import write_json
from imo_jax.augment.augmentation import Augmentation
from imo_jax.checkpoints import CheckpointMismatch, Checkpoints
from imo_jax.machine import describe_devices
from imo_jax.models.variables import initial_variables, parameters
from imo_jax.settings.saved import to_json
from imo_jax.train import initial, parallel, processes
from imo_jax.train.interrupt import Interrupt
from imo_jax.train.loop import Batches, Result, train
from imo_jax.train.metric_log import NonFiniteLoss
from imo_jax.train.objectives import Objective
from imo_jax.train.optimiser import learning_rate, make_optimiser
from imo_jax.train.packing import decays
from imo_jax.train.remat import compiler_options
from imo_jax.train.state import TrainState, create
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
    config: Any,
    folder: RunFolder,
    *,
    title: str,
    sees: str,
    encoder: tuple[str, ...],
    objective: Objective,
    batches: Callable[[int], Batches],
    scores: Callable[[Any, Callable[[], None]], Mapping[str, float]] | None,
    no_validation: str,
    augmentation: Augmentation,
    begin: Callable[[], None] = lambda: None,
    draw: Callable[[dict, int], Mapping[str, np.ndarray]] | None = None,
) -> Result:
    """Trains a run's network in `folder`, or goes on where that was interrupted.

    Of several processes the first reads and writes the folder and reports.

    Args:
      config: of the run: seed, pretrained, data, model, optimiser, loop.
      folder: where checkpoints, validations and TensorBoard's files go.
      title: of the network.
      sees: what it is shown, in words.
      encoder: where the encoder's parameters lie.
      objective: what is minimised.
      batches, draw: see `imo_jax.train.loop.train`.
      scores: (variables, what may raise to stop) -> point scores on the validation split; None =
        nothing is validated, no checkpoint is chosen and the last one counts.
      no_validation: said then.
      augmentation: of the batches, on the devices.
      begin: called once it is said what is trained.

    Raises:
      UserError: a batch that cannot be cut, weights that do not fit, a loss that is not finite, or
        a checkpoint of another network.
    """
    devices = devices_for(config.data.batch_size, config.optimiser.accumulation)
    variables = initial.draw(functools.partial(initial_variables, config.model), config.seed)
    if config.pretrained is not None:
        variables = with_pretrained(variables, config.pretrained, encoder)
    say(first_line(config, title, sees, variables, devices))
    if scores is None:
        say(no_validation)
    begin()
    validate = None if scores is None else functools.partial(validated, scores, folder)
    result = run_loop(config, folder, variables, encoder, objective, devices, augmentation,
                      batches=batches, validate=validate, draw=draw)  # fmt: skip
    if result.reason == "interrupted":
        say(f"interrupted after step {result.step}; the same command goes on from there")
    return result


def run_loop(
    config: Any,
    folder: RunFolder,
    variables: Any,
    encoder: tuple[str, ...],
    objective: Objective,
    devices: int,
    augmentation: Augmentation,
    **calls: Any,
) -> Result:
    """`imo_jax.train.loop.train` with the settings and the files of a run.

    Args:
      config, folder, encoder, objective, augmentation: as train_network.
      variables: before training.
      devices: from devices_for.
      calls: `batches`, `validate` and `draw` of the loop.
    """
    optimiser, loop = config.optimiser, config.loop
    adamw, rate = optimiser_of(config, encoder)
    step = functools.partial(
        train_step,
        objective=objective,
        optimiser=adamw,
        rate=rate,
        ema_decay=optimiser.ema_decay,
        ema_start=optimiser.ema_start,
        remat=optimiser.remat,
        frozen=encoder if optimiser.encoder_rate == 0 else None,
        axis_name=parallel.AXIS,
        unpack=augmentation.unpack,
    )
    with contextlib.ExitStack() as stack:
        checkpoints, board, stream = None, None, None
        if processes.is_first():
            stack.enter_context(locked(folder.root))
            checkpoints = stack.enter_context(
                Checkpoints(folder.checkpoints, keep_last=loop.keep_last)
            )
            done = max(checkpoints.steps(), default=0)
            if 0 < done < loop.train_steps:
                say(f"goes on after step {done}")
            board = TensorBoard(folder.tensorboard, done)
            stack.callback(board.close)
        else:
            stream = stack.enter_context(open(os.devnull, "w"))
        try:
            return train(
                first_state(config, variables, adamw),
                step=step,
                key=jax.random.key(config.seed),
                checkpoints=checkpoints,
                config=loop,
                augmentation=augmentation,
                accumulation=optimiser.accumulation,
                num_devices=devices,
                tensorboard=board,
                stream=stream,
                compiler_options=compiler_options(optimiser.remat),
                **calls,
            )
        except (NonFiniteLoss, CheckpointMismatch) as error:
            raise UserError(str(error)) from error


def optimiser_of(config: Any, encoder: tuple[str, ...]) -> tuple[Any, Any]:
    """The optimiser of a run, and its learning rate by step; see train_network for `encoder`."""
    rate = learning_rate(config.optimiser, config.loop.train_steps)
    return make_optimiser(config.optimiser, rate, decays, encoder), rate


def first_state(config: Any, variables: Any, optimiser: Any) -> TrainState:
    """The state of a training before its first step."""
    settings = config.optimiser
    return create(
        variables,
        optimiser,
        decay_mask=DECAY_MASKS[settings.weight_decay_on],
        keep_ema=settings.ema_decay > 0,
    )


def validated(
    scores: Callable[[Any, Callable[[], None]], Mapping[str, float]],
    folder: RunFolder,
    variables: Any,
    step: int,
    interrupt: Interrupt,
) -> Mapping[str, float]:
    """The scores of a step, kept in the run's folder; `best_metric` among them decides on it."""
    values = scores(variables, interrupt.check)
    validation_log.append(folder.validation, step, values)
    return values


def first_line(config: Any, title: str, sees: str, variables: Any, devices: int) -> str:
    """What runs where: network, parameters, precision, images, devices."""
    return (
        f"{title} with {parameters(variables):,} parameters in {config.model.dtype}, {sees}, batch "
        f"{config.data.batch_size}, {config.loop.train_steps} steps on {describe_devices()}"
        + (f", {devices * processes.count()} devices a step" if devices > 1 else "")
    )


def write_config(config: Any, folder: RunFolder) -> None:
    """Writes the settings into a run's folder."""
    write_json(folder.config, to_json(config, config.kind))

"""Training of a run on eyes, from prepared eyes to checkpoints."""

import functools
import os
import pathlib
from typing import Any

import numpy as np

from data_pipelines.load.batches import train_batches
from data_pipelines.load.stores import Store
from experiments import validation_log
from experiments.calibration import calibrate, validation_records
from experiments.config import EyeRunConfig
from experiments.drawing import validation_images
from experiments.run_folder import RunFolder
from experiments.runtime import say
from experiments.scoring import fit_baseline, validation_metrics
from experiments.training import (
    devices_for,
    first_line,
    holds_its_folder,
    train_network,
    with_pretrained,
)
from imo_jax.atomic_files import write_json
from imo_jax.models.registry import kind_of
from imo_jax.models.variables import initial_variables
from imo_jax.settings.saved import to_json
from imo_jax.train import processes
from imo_jax.train.initial import draw
from imo_jax.train.interrupt import Interrupt
from imo_jax.train.loop import Result

NO_VALIDATION = (
    "no eye is in the split 'val': nothing chooses a checkpoint or stops early; the network of the "
    "last step counts"
)


@holds_its_folder
def run_train(
    config: EyeRunConfig,
    workdir: str | pathlib.Path,
    store: Store,
    seen: Store | None = None,
    learned: EyeRunConfig | None = None,
) -> Result:
    """Trains until the end, or goes on where an earlier call was interrupted.

    Args:
      config: of the run.
      workdir: its folder, empty or holding a run of the same settings (refuse_other_config).
      store: the eyes of its manifest that are learned from.
      seen: the eyes of its manifest as they are validated on; None = the same. Where none is in
        the split "val", no checkpoint is chosen and the last one counts.
      learned: the settings with the augmentation of the training eyes; None = `config`.

    Raises:
      UserError: a batch that cannot be cut, a loss that is not finite, or another program is at
        work in the folder.
    """
    seen, learned = seen or store, learned or config
    folder = RunFolder(pathlib.Path(workdir))
    devices = devices_for(config.data.batch_size, config.optimiser.accumulation)
    variables = draw(functools.partial(initial_variables, config.model), config.seed)
    network = kind_of(config.model)
    if config.pretrained is not None:
        variables = with_pretrained(variables, config.pretrained, network.backbone)
    say(
        first_line(
            network.title(config.model),
            variables,
            config.model.dtype,
            f"images of {learned.augment.crop_size} pixels",
            config.data.batch_size,
            config.loop.train_steps,
            devices,
        )
    )
    checked = functools.partial(validate, store=seen, config=config, log=folder.validation)
    if not seen.num("val"):
        checked = None
        say(NO_VALIDATION)
    processes.in_first(functools.partial(write_start, folder, config, seen))
    result = train_network(
        folder,
        variables,
        objective=config.minimised(),
        batches=functools.partial(training_batches, store, learned),
        validate=checked,
        optimiser=config.optimiser,
        loop=config.loop,
        seed=config.seed,
        devices=devices,
        encoder=network.backbone,
        draw=functools.partial(validation_images, store=seen, config=config),
    )
    if result.exit_code == 0 and processes.is_first():
        calibrate(folder, config, seen)
    return result


def write_start(folder: RunFolder, config: EyeRunConfig, store: Store) -> None:
    """Writes what is known before the first step: the settings, and the trivial baseline."""
    write_json(folder.config, to_json(config, config.kind))
    save_baseline(folder, fit_baseline(store, "train"))


def training_batches(store: Store, config: EyeRunConfig, start_step: int):
    """This process's share of the batches of the steps from `start_step` on."""
    return train_batches(
        store,
        "train",
        batch_size=config.data.batch_size,
        seed=config.seed,
        start_step=start_step,
        augment_config=config.augment,
        use_oct=config.model.use_oct,
        shard=processes.place(),
    )


def validate(
    variables: Any,
    step: int,
    interrupt: Interrupt,
    *,
    store: Store,
    config: EyeRunConfig,
    log: pathlib.Path,
) -> dict[str, float]:
    """Point scores on the validation split; `score` among them decides which step is the best."""
    metrics = validation_metrics(validation_records(variables, store, config, interrupt.check))
    validation_log.append(log, step, metrics)
    return metrics


def save_baseline(folder: RunFolder, baseline: dict[str, np.ndarray]) -> None:
    """Writes baseline.npz whole or not at all."""
    part = folder.baseline.with_name(".baseline.npz")
    with part.open("wb") as file:
        np.savez(file, **baseline)
    os.replace(part, folder.baseline)

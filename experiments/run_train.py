"""Training of a run on eyes, of both its stages where it has two, from prepared eyes to checkpoints."""

import functools
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from data_pipelines.load.batches import train_batches
from data_pipelines.load.stores import Store
from experiments.calibration import calibrate, validation_records
from experiments.config import EyeRunConfig
from experiments.locator import begun_locator, check_masks, copy_locator
from experiments.prediction import predict_split
from experiments.run_folder import RunFolder
from experiments.runtime import say
from experiments.saved_run import refuse_other_config
from experiments.scoring import eye_picture, fit_baseline, score
from experiments.squares import found_squares
from experiments.training import holds_its_folder, train_network, write_config
from imo_jax.atomic_files import write_arrays
from imo_jax.augment.augmentation import of_eyes
from imo_jax.metrics.validation_score import validation_metrics
from imo_jax.models.registry import kind_of
from imo_jax.train import processes
from imo_jax.train.loop import Result

VALIDATION_EYES = 3  # drawn for TensorBoard at each validation
NO_VALIDATION = (
    "no eye is in the split 'val': nothing chooses a checkpoint or stops early; the network of the "
    "last step counts"
)


@holds_its_folder
def run_stages(
    config: EyeRunConfig, workdir: str | pathlib.Path, whole: Store
) -> tuple[Result, Store]:
    """Trains a run, both its stages where it has two; the result, and the store to evaluate on.

    A locator that is given is copied, not trained.

    Args:
      config, workdir: as run_train.
      whole: the eyes of its manifest, as whole photographs.

    Raises:
      UserError: as run_train, or the locator that is given is none.
    """
    if not config.two_stages:
        return run_train(config, workdir, whole), whole
    folder = RunFolder(pathlib.Path(workdir))
    check_masks(config, whole)
    if config.squares.locator is None:
        located = begun_locator(RunFolder(folder.locator), config)
        say("stage 1: a network finds the disc on the whole photograph")
        processes.in_first(lambda: refuse_other_config(folder.locator, located))
        result = run_train(located, folder.locator, whole)
        if result.exit_code:
            return result, whole
    else:
        processes.in_first(lambda: copy_locator(config.squares.locator, folder))
        say(f"stage 1: the disc is found by the network of {config.squares.locator}")
    say("stage 2: a network works on the square around the disc")
    training, seen, learned = found_squares(config, folder, whole)
    return run_train(config, workdir, training, seen, learned), seen


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
    folder, network = RunFolder(pathlib.Path(workdir)), kind_of(config.model)
    result = train_network(
        config,
        folder,
        title=network.title(config.model),
        sees=f"images of {learned.augment.crop_size} pixels",
        encoder=network.backbone,
        objective=config.minimised(),
        batches=functools.partial(training_batches, store, learned),
        scores=functools.partial(validation_scores, seen, config) if seen.num("val") else None,
        no_validation=NO_VALIDATION,
        begin=functools.partial(begin, folder, config, seen),
        augmentation=of_eyes(learned.augment, learned.oct_shape),
        draw=functools.partial(validation_images, store=seen, config=config),
    )
    if result.exit_code == 0 and processes.is_first():
        calibrate(folder, config, seen)
    return result


def begin(folder: RunFolder, config: EyeRunConfig, store: Store) -> None:
    """Writes what is known before the first step: the settings, and the trivial baseline."""
    processes.in_first(lambda: write_config(config, folder))
    same_side = config.augment.left_as_right
    processes.in_first(
        lambda: write_arrays(folder.baseline, fit_baseline(store, "train", same_side))
    )


def training_batches(store: Store, config: EyeRunConfig, start_step: int):
    """This process's share of the batches of the steps from `start_step` on."""
    return train_batches(
        store,
        "train",
        batch_size=config.data.batch_size,
        seed=config.seed,
        start_step=start_step,
        use_oct=config.model.use_oct,
        left_as_right=config.augment.left_as_right,
        shard=processes.place(),
    )


def validation_scores(
    store: Store, config: EyeRunConfig, variables: Any, between: Callable[[], None]
) -> dict[str, float]:
    """Point scores on the validation split."""
    return validation_metrics(validation_records(variables, store, config, between))


def validation_images(
    variables: Any, step: int, *, store: Store, config: EyeRunConfig
) -> dict[str, np.ndarray]:
    """Panels of the first eyes of the validation split, for TensorBoard."""
    del step  # TensorBoard keeps it beside the image
    if not config.model.segment:
        return {}
    images: dict[str, np.ndarray] = {}
    for prediction in predict_split(variables, store, "val", config, mirror=False):
        if len(images) == VALIDATION_EYES:
            break
        record = score(store, "val", prediction)
        images[prediction.id] = eye_picture(store, "val", prediction, record)
    return images

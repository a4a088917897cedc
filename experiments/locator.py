"""The locator of a run in two stages: the network that finds the disc on the whole photograph.

It lies in a folder of its own, `locator` in the run's folder: a run like any other, on whole
photographs, trained there or copied from where it was trained before.
"""

import dataclasses
import math
import pathlib
import shutil
from collections.abc import Iterator

import numpy as np

from data_pipelines.load.stores import Store
from data_pipelines.manifest import read_manifest
from data_pipelines.squares import Disc, find_disc
from experiments.config import EYE_RUNS, EyeRunConfig, RunConfig
from experiments.prediction import predict_split
from experiments.presets import PRESETS
from experiments.reading import prepared_store
from experiments.run_folder import RunFolder, read_json, replaced_folder
from experiments.runtime import UserError
from experiments.saved_run import TrainedRun, changed_settings, restore_run
from imo_jax.checkpoints import saved_steps
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.settings.saved import kind_of
from imo_jax.train import processes

LOCATOR_STRIDE = 4  # of the shapes that IMO finds a disc by


def locator_config(config: EyeRunConfig) -> EyeRunConfig:
    """The run that finds the disc: the same network without grade and OCT, on whole photographs.

    Where a disc lies is seen on the decoder's own grid: IMO's is asked once, without noise or fine
    path. A network that does not segment has IMO's of the default preset find it.
    """
    steps = config.squares.locator_steps
    if not config.model.segment:
        config = _with_default_network(config)
    if isinstance(config.model, SegmenterConfig):
        model = dataclasses.replace(config.model, with_oct=False)
    else:
        model = dataclasses.replace(
            config.model, grade=False, use_oct=False, refine="single", fine_stride=LOCATOR_STRIDE
        )
    return dataclasses.replace(
        config,
        model=model,
        squares=dataclasses.replace(config.squares, region="photograph", locator=None),
        loop=dataclasses.replace(
            config.loop,
            train_steps=steps,
            eval_every=math.ceil(steps / 2),
            save_every=0,
            patience=0,
        ),
        optimiser=dataclasses.replace(
            config.optimiser, warmup_steps=min(config.optimiser.warmup_steps, steps // 10)
        ),
    )


def begun_locator(folder: RunFolder, config: EyeRunConfig) -> EyeRunConfig:
    """The settings of the locator that is to be trained in a folder, or goes on there.

    An earlier version's IMO found the disc with its noise and fine path: such a locator stays.
    """
    located = locator_config(config)
    if not (isinstance(config, RunConfig) and config.model.segment):
        return located
    whole = {"refine": config.model.refine, "fine_stride": config.model.fine_stride}
    older = dataclasses.replace(located, model=dataclasses.replace(located.model, **whole))
    with processes.all_or_none():
        # [] is a run of just these settings, None is no run.
        stays = (
            processes.is_first()
            and changed_settings(folder, located)
            and changed_settings(folder, older) == []
        )
    return older if processes.arrays_of_first(np.array(bool(stays))) else located


def given_locator(path: str | pathlib.Path) -> RunFolder:
    """The run that finds discs, of a run in two stages or itself.

    Raises:
      UserError: it holds no run, or one that segments no whole photographs.
    """
    folder = RunFolder(pathlib.Path(path))
    if folder.locator.exists():
        folder = RunFolder(folder.locator)
    config = restored_locator(folder).config
    if config.two_stages or not config.model.segment:
        raise UserError(f"locator={path}: its network segments no whole photographs")
    return folder


def _with_default_network(config: EyeRunConfig) -> RunConfig:
    """IMO's default run on the eyes of another, as many at a time."""
    default = PRESETS["default"]().graded(config.data.grade_names)
    side = config.data.image_size
    augment = dataclasses.replace(config.augment, crop_mode="none", crop_size=side)
    return dataclasses.replace(
        default, seed=config.seed, data=config.data, squares=config.squares, augment=augment
    )


def check_masks(config: EyeRunConfig, store: Store) -> None:
    """UserError where no eye teaches a run in two stages where discs are."""
    if config.squares.locator is None and not store.has_mask("train").any():
        raise UserError(
            "region=disc: no training eye has a mask, from which a network would learn to find the "
            "disc; give a trained one with --locator=RUN, or --region=photograph"
        )


def check_locator(config: EyeRunConfig, workdir: str | pathlib.Path) -> None:
    """UserError where the locator that a run is given finds no discs, before anything is prepared.

    A run that has begun to learn has a copy, and needs it no more.
    """
    given = config.squares.locator
    if given is not None and not saved_steps(RunFolder(pathlib.Path(workdir)).checkpoints):
        given_locator(given)


def copy_locator(path: str | pathlib.Path, folder: RunFolder) -> None:
    """Copies a trained locator into a run's folder, unless the run learned with its copy by now."""
    if saved_steps(folder.checkpoints):
        return
    source = given_locator(path)
    with replaced_folder(folder.locator) as part:
        shutil.copy2(source.config, part)
        shutil.copytree(source.checkpoints, RunFolder(part).checkpoints)


def restored_locator(folder: RunFolder) -> TrainedRun:
    """The run of any kind in a locator's folder, at its best checkpoint; errors as restore_run."""
    try:
        kind = kind_of(read_json(folder.config))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder.root} holds no trained run that finds discs: {error}") from error
    if kind not in EYE_RUNS:
        raise UserError(f"{folder.root} holds a run of {kind}, which finds no discs")
    return restore_run(str(folder.root), {}, "best", EYE_RUNS[kind])


def whole_photographs(locator: EyeRunConfig, config: EyeRunConfig, whole: Store) -> Store:
    """The eyes as a locator sees them: `whole`, those of the run, where it works at their size."""
    size, crop = locator.data.image_size, locator.data.crop_to_field
    if (size, crop) == (config.data.image_size, config.data.crop_to_field):
        return whole
    data = dataclasses.replace(locator.data, manifest=config.data.manifest)
    data = dataclasses.replace(data, data_root=config.data.data_root)
    manifest = read_manifest(config.data.manifest, config.data.data_root)
    return prepared_store(manifest, dataclasses.replace(locator, data=data))


def find_discs(folder: RunFolder, config: EyeRunConfig, whole: Store) -> dict[str, list]:
    """Split -> what the locator finds in each photograph: a Disc, or None.

    Process 0 has the locator, and sends to the others what it found.
    """
    numbers = {split: whole.num(split) for split in whole.splits}
    found = np.full((sum(numbers.values()), 3), np.nan)
    with processes.all_or_none():
        if processes.is_first():
            run = restored_locator(RunFolder(folder.locator))
            store = whole_photographs(run.config, config, whole)
            discs = [disc for split in numbers for disc in located(run, store, split)]
            for row, disc in enumerate(discs):
                found[row] = np.nan if disc is None else dataclasses.astuple(disc)
    discs = [
        None if np.isnan(row[0]) else Disc(*map(float, row))
        for row in processes.arrays_of_first(found)
    ]
    ends = np.cumsum(list(numbers.values()))
    return {
        split: discs[end - number : end]
        for (split, number), end in zip(numbers.items(), ends, strict=True)
    }


def located(run: TrainedRun, whole: Store, split: str) -> Iterator[Disc | None]:
    """What a locator finds in the photographs of a split, in order."""
    asked = {"use_oct": False, "mirror": False}
    for prediction in predict_split(run.variables, whole, split, run.config, **asked):
        yield find_disc(prediction.probabilities, whole.frame(split, prediction.index))


def seen_whole(config: EyeRunConfig, store: Store, split: str) -> list[str]:
    """Ids of a split's eyes that a run in two stages sees whole: nothing credible was found."""
    if not config.two_stages:
        return []
    return [eye_id for eye_id in store.ids(split) if eye_id not in store.squares]

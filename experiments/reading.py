"""From a manifest to a store of prepared eyes; every complaint about the input comes from here."""

import dataclasses
import pathlib
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from data_pipelines.cache_folder import EYES, cache_folder
from data_pipelines.load.counts import count, describe
from data_pipelines.load.mirrored import sides_in_words
from data_pipelines.load.stores import Store
from data_pipelines.manifest import Manifest, ManifestError, format_problems, read_manifest
from data_pipelines.manifest.check import check_manifest, doubts_by_id
from data_pipelines.manifest.problems import Problem, errors
from data_pipelines.phantom import make_phantom
from data_pipelines.squares import Square
from experiments.config import PHANTOM, EyeRunConfig
from experiments.runtime import UserError, check_memory, say
from imo_jax.metrics.grade_map import GradeMap, grade_map

# The phantom of the default run: enough test eyes for an interval that says something.
PHANTOM_EYES = 240
PHANTOM_FRACTIONS = {"val_fraction": 0.1, "test_fraction": 0.3}

Read = TypeVar("Read")


def make_default_phantom(manifest: str) -> None:
    """Makes the phantom data set where the default manifest is asked for and absent."""
    made_where_absent(manifest, PHANTOM, f"{PHANTOM_EYES} eyes", eyes=PHANTOM_EYES, seed=0,
                      **PHANTOM_FRACTIONS)  # fmt: skip


def made_where_absent(manifest: str, default: str, what: str, **settings: Any) -> None:
    """Makes a phantom where a program's default manifest is asked for and absent."""
    path = pathlib.Path(manifest)
    if manifest == default and not path.exists():
        say(f"making a phantom data set of {what} in {path.parent} (once)")
        make_phantom(path.parent, **settings)


def problems_of(
    config: EyeRunConfig,
    need: Collection[str],
    manifest: str | None = None,
    say: Callable[[str], None] = say,
) -> list[Problem]:
    """All that is wrong with a manifest and the files it names.

    Args:
      config: of the run; says which labels are used, and what volumes mean.
      need: of "train", "eval", "predict": what is going to be done.
      manifest: path of manifest.csv; None = the run's.
      say: told how it gets on.
    """
    return check_manifest(
        manifest or config.data.manifest,
        config.data.data_root,
        need=need,
        labels=used_labels(config),
        memory=check_memory(),
        oct_form=config.oct.form,
        say=say,
        sees_oct=config.oct_shape is not None,
    )


def read_sound(manifest: str, problems: list[Problem], read: Callable[[], Read]) -> Read:
    """What `read` gives of a manifest in which there are no errors; says what is doubted.

    Raises:
      UserError: with the complete list of problems.
    """
    if errors(problems):
        raise UserError(f"{manifest} cannot be used:\n{format_problems(problems)}")
    if problems:
        say(f"{manifest}:\n{format_problems(problems)}")
    try:
        return read()
    except ManifestError as error:
        raise UserError(f"{manifest} cannot be used:\n{error}") from error


def checked_manifest(
    config: EyeRunConfig, need: Collection[str], manifest: str | None = None
) -> Manifest:
    """Reads a manifest after checking it and every file it names; arguments as problems_of.

    Raises:
      UserError: with the complete list of problems.
    """
    path, data_root = manifest or config.data.manifest, config.data.data_root
    problems = problems_of(config, need, path)
    read = read_sound(path, problems, lambda: read_manifest(path, data_root, config.oct.form))
    return dataclasses.replace(read, doubts=doubts_by_id(path, data_root, problems))


def used_labels(config: EyeRunConfig) -> tuple[str, ...]:
    """The labels that a run learns from: its heads, and the network that finds the disc for it."""
    squares = config.squares
    finds = squares.region == "disc" and squares.locator is None
    return ("mask",) * (config.model.segment or finds) + ("grade",) * config.model.grade


def checked_store(config: EyeRunConfig, need: Collection[str]) -> Store:
    """The eyes of a run's manifest, after checking all of it; see checked_manifest."""
    manifest = checked_manifest(config, need)
    if "eval" in need and any(eye.grade is not None for eye in manifest.eyes):
        common_grades(config, manifest.grade_names)  # said before anything is prepared
    return prepared_store(manifest, config)


def common_grades(config: EyeRunConfig, names: tuple[str, ...]) -> GradeMap | None:
    """How a network and eyes of other grades are scored; None of a network that does not grade.

    Args:
      config: of the run.
      names: of the grades of the eyes.

    Raises:
      UserError: their grades cannot be matched.
    """
    if not config.model.grade:
        return None
    try:
        return grade_map(config.data.grade_names, names, config.evaluation.grade_map)
    except ValueError as error:
        raise UserError(str(error)) from error


def prepared_store(
    manifest: Manifest,
    config: EyeRunConfig,
    squares: Mapping[str, Square] | None = None,
    splits: Collection[str] | None = None,
    image_size: int | None = None,
) -> Store:
    """The eyes of all splits at working resolution, from the cache where they are there.

    Args:
      manifest: of the eyes.
      config: of the run.
      squares: id -> square of the photograph that is seen; None = whole photographs.
      splits: names of splits; None = all.
      image_size: side of the working image; None = the run's.
    """
    # TensorFlow is imported here, so that check and predict need none.
    from data_pipelines.builders.multimodal import SPLITS, prepare

    store = prepare(
        manifest,
        cache_folder() / EYES,
        image_size or config.data.image_size,
        config.oct_shape,
        config.data.crop_to_field,
        splits=SPLITS if splits is None else splits,
        squares=squares,
    )
    store.doubts = manifest.doubts
    if squares is None:
        say(f"data: {describe(count(store))}")
        if config.augment.left_as_right:
            say(sides_in_words([side for split in store.splits for side in store.sides(split)]))
    return store

"""From a screening manifest to a store of prepared volumes, with all complaints about the input."""

import pathlib
from collections.abc import Collection

import numpy as np

from data_pipelines.cache_folder import VOLUMES, cache_folder
from data_pipelines.load.screening_counts import count_screening, describe_screening
from data_pipelines.load.screening_stores import ScreeningStore
from data_pipelines.manifest import ManifestError, format_problems
from data_pipelines.manifest.check import check_screening_manifest
from data_pipelines.manifest.problems import errors
from data_pipelines.manifest.screening import ScreeningManifest, read_screening_manifest
from data_pipelines.phantom import make_phantom
from data_pipelines.volume_form import VolumeForm
from experiments.runtime import UserError, check_memory, say
from experiments.screening.config import PHANTOM, ScreeningConfig

# The phantom of the default run: several volumes a visit and visits an eye, as in the paper, and
# enough test patients for an interval that says something.
PHANTOM_SETTINGS = {
    "eyes": 200,
    "seed": 0,
    "visits": 2,
    "volumes_per_visit": 2,
    "val_fraction": 0.12,
    "test_fraction": 0.42,
}


def make_default_phantom(manifest: str) -> None:
    """Makes the phantom data set where the default manifest is asked for and absent."""
    path = pathlib.Path(manifest)
    if manifest != PHANTOM or path.exists():
        return
    eyes = PHANTOM_SETTINGS["eyes"]
    volumes = eyes * PHANTOM_SETTINGS["visits"] * PHANTOM_SETTINGS["volumes_per_visit"]
    say(f"making a phantom data set of {volumes} volumes of {eyes} eyes in {path.parent} (once)")
    make_phantom(path.parent, **PHANTOM_SETTINGS)


def checked_manifest(
    manifest: str,
    data_root: str | None,
    need: Collection[str],
    *,
    surrogates: bool,
    oct_form: VolumeForm,
) -> ScreeningManifest:
    """Reads a screening manifest after checking it and every file it names.

    Args:
      manifest: path of the CSV file.
      data_root: folder of the volumes where it is not the manifest's.
      need: of "train", "eval", "predict": what is going to be done.
      surrogates: visual fields are going to be borrowed.
      oct_form: of the volumes whose row does not say it.

    Raises:
      UserError: with the complete list of problems.
    """
    problems = check_screening_manifest(
        manifest,
        data_root,
        need=need,
        surrogates=surrogates,
        memory=check_memory(),
        oct_form=oct_form,
        say=say,
    )
    if errors(problems):
        raise UserError(f"{manifest} cannot be used:\n{format_problems(problems)}")
    if problems:
        say(f"{manifest}:\n{format_problems(problems)}")
    try:
        return read_screening_manifest(manifest, data_root, oct_form)
    except ManifestError as error:
        raise UserError(f"{manifest} cannot be used:\n{error}") from error


def checked_store(config: ScreeningConfig, need: Collection[str]) -> ScreeningStore:
    """The volumes of a run's manifest, prepared, after checking all of it."""
    # TensorFlow is imported here, so that check and predict need none.
    from data_pipelines.builders.oct_screening import prepare_screening

    data = config.data
    surrogates = config.recipe.surrogates and config.train_subset == "all"
    manifest = checked_manifest(
        data.manifest, data.data_root, need, surrogates=surrogates, oct_form=config.oct.form
    )
    store = prepare_screening(
        manifest,
        cache_folder() / VOLUMES,
        *config.grid,
    )
    say(f"data: {describe_screening(count_screening(store))}")
    return store


def training_rows(config: ScreeningConfig, store: ScreeningStore) -> np.ndarray:
    """int64 positions in the training split of the volumes that are learned from.

    Raises:
      UserError: the part with a visual field is asked for, and there is none or only one class.
    """
    rows = np.arange(store.num("train"))
    if config.train_subset == "all":
        return rows
    measured = store.has_vf("train")
    known = measured.any(axis=0)  # Sets that publish MD alone are complete with it.
    rows = rows[np.all(measured[:, known], axis=1) & known.any()]
    if len(set(store.glaucoma("train")[rows].tolist())) < 2:
        raise UserError(
            "train_subset=part keeps the training volumes with a complete visual field, and they "
            "are not of both classes; use train_subset=all"
        )
    return rows

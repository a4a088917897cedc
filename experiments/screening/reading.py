"""From a screening manifest to a store of prepared volumes, with all complaints about the input."""

from collections.abc import Callable, Collection

import numpy as np

from data_pipelines.cache_folder import VOLUMES, cache_folder
from data_pipelines.load.screening_counts import count_screening, describe_screening
from data_pipelines.load.screening_stores import ScreeningStore
from data_pipelines.manifest.check import check_screening_manifest
from data_pipelines.manifest.problems import Problem
from data_pipelines.manifest.screening import ScreeningManifest, read_screening_manifest
from experiments.reading import made_where_absent, read_sound
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
    eyes = PHANTOM_SETTINGS["eyes"]
    volumes = eyes * PHANTOM_SETTINGS["visits"] * PHANTOM_SETTINGS["volumes_per_visit"]
    made_where_absent(manifest, PHANTOM, f"{volumes} volumes of {eyes} eyes", **PHANTOM_SETTINGS)


def problems_of(
    config: ScreeningConfig,
    need: Collection[str],
    manifest: str | None = None,
    say: Callable[[str], None] = say,
) -> list[Problem]:
    """All that is wrong with a screening manifest and its volumes; see reading.problems_of."""
    return check_screening_manifest(
        manifest or config.data.manifest,
        config.data.data_root,
        need=need,
        surrogates=config.recipe.surrogates and config.train_subset == "all",
        memory=check_memory(),
        oct_form=config.oct.form,
        say=say,
    )


def checked_manifest(
    config: ScreeningConfig, need: Collection[str], manifest: str | None = None
) -> ScreeningManifest:
    """Reads a screening manifest after checking it and its volumes; see reading.checked_manifest."""
    path, data_root = manifest or config.data.manifest, config.data.data_root
    return read_sound(
        path,
        problems_of(config, need, path),
        lambda: read_screening_manifest(path, data_root, config.oct.form),
    )


def checked_store(config: ScreeningConfig, need: Collection[str]) -> ScreeningStore:
    """The volumes of a run's manifest, prepared, after checking all of it."""
    # TensorFlow is imported here, so that check and predict need none.
    from data_pipelines.builders.oct_screening import prepare_screening

    manifest = checked_manifest(config, need)
    store = prepare_screening(manifest, cache_folder() / VOLUMES, *config.grid)
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

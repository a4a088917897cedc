"""Two stages on eyes: a locator finds the disc on the whole photograph, and the network that counts
works on a square around it.

The second stage learns from squares as the locator would place them: around the true disc, moved and
scaled at random by the error that it has on the validation eyes. It is validated, evaluated and
used on the squares that the locator found, never on the truth; an eye in which nothing credible is
found is seen whole.
"""

import csv
import dataclasses
import math
from typing import Any

from data_pipelines.load.stores import Store
from data_pipelines.manifest import read_manifest
from data_pipelines.squares import (
    Disc,
    LocatorError,
    Square,
    disc_of_mask,
    measured_error,
    square_around,
)
from experiments.config import EyeRunConfig
from experiments.locator import find_discs
from experiments.reading import prepared_store
from experiments.run_folder import RunFolder
from experiments.runtime import say
from experiments.saved_run import TrainedRun
from imo_jax.atomic_files import replacing, write_json
from imo_jax.predictor.locator import NOT_LOCATED
from imo_jax.train import processes

# Training squares are stored so much larger than they are seen: room for moves and turns.
MARGIN = 1.5


def found_squares(
    config: EyeRunConfig, folder: RunFolder, whole: Store
) -> tuple[Store, Store, EyeRunConfig]:
    """What the second stage learns from, and what it is validated and evaluated on.

    Writes what the locator in the run's folder finds, and its error.

    Returns:
      The squares of the training eyes, those that the locator found of all eyes, and the settings
      by which the former are moved.
    """
    found = find_discs(folder, config, whole)
    true = {split: true_discs(whole, split) for split in whole.splits}
    error = measured_error(found.get("val", []), true.get("val", []))
    say(described(found, error))
    processes.in_first(lambda: write_squares(folder, config, whole, found, error))
    drawn = [t or f for t, f in zip(true["train"], found["train"], strict=True)]
    around = squares_of(config, whole, {"train": drawn}, MARGIN)
    training = _store(config, around, whole, splits=("train",), image_size=stored_side(config))
    seen = _store(config, squares_of(config, whole, found), whole)
    return training, seen, moved(config, error)


def evaluation_store(run: TrainedRun, whole: Store) -> Store:
    """The eyes of a run's manifest as its network sees them."""
    if not run.config.two_stages:
        return whole
    found = find_discs(run.folder, run.config, whole)
    return _store(run.config, squares_of(run.config, whole, found), whole)


def stored_side(config: EyeRunConfig) -> int:
    """Side of the stored training squares: MARGIN times the working image."""
    return 4 * round(config.data.image_size * MARGIN / 4)


def moved(config: EyeRunConfig, error: LocatorError) -> EyeRunConfig:
    """The run with training squares that are moved and scaled as the locator's are."""
    # A uniform distribution over +-sqrt(3) s has the standard deviation s.
    factor = math.exp(math.sqrt(3) * error.size)
    augment = dataclasses.replace(
        config.augment,
        crop_mode="square",
        crop_size=config.data.image_size,
        crop_shift=error.shift / config.squares.square_diameters,
        scale_min=config.augment.scale_min / factor,
        scale_max=config.augment.scale_max * factor,
    )
    return dataclasses.replace(config, augment=augment)


def true_discs(store: Store, split: str) -> list[Disc | None]:
    """The labelled disc of each eye of a split."""
    masks = (store.native_mask(split, i) for i in range(store.num(split)))
    return [None if mask is None else disc_of_mask(mask) for mask in masks]


def squares_of(
    config: EyeRunConfig, store: Store, discs: dict[str, list], margin: float = 1.0
) -> dict[str, Square]:
    """Id -> square of the eyes whose disc is known."""
    diameters = config.squares.square_diameters * margin
    return {
        eye_id: square_around(disc, diameters)
        for split, of_split in discs.items()
        for eye_id, disc in zip(store.ids(split), of_split, strict=True)
        if disc is not None
    }


def described(found: dict[str, list], error: LocatorError) -> str:
    """One line on what the locator found, and how well."""
    parts = [
        f"{split} {sum(disc is not None for disc in discs)}/{len(discs)}"
        for split, discs in found.items()
    ]
    where = f"measured on {error.eyes} validation eyes" if error.eyes else "assumed"
    return (
        f"discs found: {', '.join(parts)}; error of the centre {error.shift:.3f} diameters, of the "
        f"size {100 * error.size:.0f} % ({where})"
    )


def write_squares(
    folder: RunFolder,
    config: EyeRunConfig,
    store: Store,
    found: dict[str, list],
    error: LocatorError,
) -> None:
    """Writes squares.csv, what was found in each eye, and squares.json, the locator's error."""
    squares = squares_of(config, store, found)
    with replacing(folder.squares) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["split", "id", "found", "top", "left", "side"])
        for split in found:
            for eye_id in store.ids(split):
                square = squares.get(eye_id)
                place = ("", "", "") if square is None else dataclasses.astuple(square)
                writer.writerow([split, eye_id, int(square is not None), *place])
    write_json(folder.squares.with_suffix(".json"), dataclasses.asdict(error))


def _store(
    config: EyeRunConfig, squares: dict[str, Square], whole: Store, **options: Any
) -> Store:
    """The eyes of `whole` on squares, and what is doubted of them; options as prepared_store."""
    manifest = read_manifest(config.data.manifest, config.data.data_root, config.oct.form)
    store = prepared_store(manifest, config, squares=squares, **options)
    store.doubts = {
        eye_id: (*whole.doubts.get(eye_id, ()), *(() if eye_id in squares else (NOT_LOCATED,)))
        for split in whole.splits
        for eye_id in whole.ids(split)
    }
    return store

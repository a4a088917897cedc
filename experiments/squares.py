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
import pathlib
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
from experiments.locator import check_masks, copy_locator, find_discs, locator_config
from experiments.reading import prepared_store
from experiments.run_folder import RunFolder
from experiments.run_train import run_train
from experiments.runtime import say
from experiments.saved_run import TrainedRun, refuse_other_config
from experiments.training import holds_its_folder
from imo_jax.atomic_files import replacing, write_json
from imo_jax.predictor.locator import NOT_LOCATED
from imo_jax.train import processes
from imo_jax.train.loop import Result

# Training squares are stored so much larger than they are seen: room for moves and turns.
MARGIN = 1.5


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
        located = locator_config(config)
        say("stage 1: a network finds the disc on the whole photograph")
        processes.in_first(lambda: refuse_other_config(folder.locator, located))
        result = run_train(located, folder.locator, whole)
        if result.exit_code:
            return result, whole
    else:
        processes.in_first(lambda: copy_locator(config.squares.locator, folder))
        say(f"stage 1: the disc is found by the network of {config.squares.locator}")
    say("stage 2: a network works on the square around the disc")
    found = find_discs(folder, config, whole)
    true = {split: true_discs(whole, split) for split in whole.splits}
    error = measured_error(found.get("val", []), true.get("val", []))
    say(described(found, error))
    processes.in_first(lambda: write_squares(folder, config, whole, found, error))
    drawn = [t or f for t, f in zip(true["train"], found["train"], strict=True)]
    around = squares_of(config, whole, {"train": drawn}, MARGIN)
    training = _store(config, around, whole, splits=("train",), image_size=stored_side(config))
    seen = _store(config, squares_of(config, whole, found), whole)
    return run_train(config, workdir, training, seen, moved(config, error)), seen


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

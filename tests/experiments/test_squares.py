"""Two stages: what the locator's run is, what the second stage learns from and is shown."""

import csv
import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pytest

from data_pipelines.load import ArrayStore, WorkingGrid
from data_pipelines.squares import Disc, LocatorError, Square
from experiments import locator, squares
from experiments.config import GraderRunConfig, RunConfig, SegmenterRunConfig, SquaresConfig
from experiments.presets import default
from experiments.run_folder import RunFolder
from experiments.runtime import UserError
from experiments.training import write_config
from imo_jax.augment.config import AugmentConfig
from imo_jax.checkpoints import ITEMS
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.settings.fields import differences

RUNS = pathlib.Path(__file__).parents[1] / "run_folders"
DISC = SquaresConfig(region="disc", square_diameters=2.0, locator_steps=90)


def in_squares(config):
    return dataclasses.replace(config, squares=DISC)


def test_the_locator_is_the_same_run_on_whole_photographs_without_grade_and_oct():
    config = in_squares(default())
    located = locator.locator_config(config)
    changed = {line.split(":")[0] for line in differences(config, located)}
    assert changed == {
        "region", "use_oct", "grade", "refine", "fine_stride", "train_steps", "eval_every",
        "save_every", "warmup_steps",
    }  # fmt: skip
    assert (located.model.refine, located.model.fine_stride) == ("single", 4)
    assert (located.loop.train_steps, located.loop.eval_every) == (90, 45)
    assert not located.two_stages and config.two_stages


def test_a_locator_that_an_earlier_version_began_stays_as_it_is(tmp_path):
    """It was the run's whole network, with noise and fine path."""
    config = in_squares(default())
    located = locator.locator_config(config)
    folder = RunFolder(tmp_path)
    assert locator.begun_locator(folder, config) == located
    model = dataclasses.replace(located.model, refine="ddim", fine_stride=1)
    older = dataclasses.replace(located, model=model)
    for saved, expected in ((older, older), (located, located)):
        write_config(saved, folder)
        for item in ITEMS:
            (folder.checkpoints / "10" / item).mkdir(parents=True, exist_ok=True)
        assert locator.begun_locator(folder, config) == expected


def test_a_segmenters_locator_sees_no_oct():
    config = SegmenterRunConfig(model=SegmenterConfig(network="unetpp", with_oct=True))
    located = locator.locator_config(in_squares(config))
    assert located.model == SegmenterConfig(network="unetpp", with_oct=False)


def test_a_network_that_only_grades_has_imos_find_the_disc():
    config = in_squares(GraderRunConfig(seed=3, augment=AugmentConfig(hue_degrees=7.0)))
    located = locator.locator_config(config)
    imos = locator.locator_config(in_squares(default()))
    assert (located.kind, located.model, located.optimiser) == ("imo", imos.model, imos.optimiser)
    assert (located.seed, located.data, located.augment.hue_degrees) == (3, config.data, 7.0)
    assert located.augment.crop_size == config.data.image_size


def test_without_masks_nothing_finds_a_disc():
    eyes = store({"train": 2})
    with pytest.raises(UserError, match="no training eye has a mask.*--locator=RUN"):
        locator.check_masks(in_squares(GraderRunConfig()), eyes)
    given = dataclasses.replace(DISC, locator="runs/imo")
    locator.check_masks(dataclasses.replace(GraderRunConfig(), squares=given), eyes)


def test_a_locator_is_for_squares():
    with pytest.raises(ValueError, match="locator='runs/imo' is for region=disc"):
        RunConfig(squares=SquaresConfig(locator="runs/imo"))


@pytest.fixture
def run_of(tmp_path):
    """A copy of a small run of older days."""

    def copied(kind):
        return RunFolder(shutil.copytree(RUNS / kind, tmp_path / kind))

    return copied


@pytest.mark.parametrize("kind", ["imo", "segmenter"])
def test_a_run_that_segments_is_copied_as_a_locator(run_of, tmp_path, kind):
    source = run_of(kind)
    folder = RunFolder(tmp_path / "new")
    locator.copy_locator(source.root, folder)
    ours, theirs = map(locator.restored_locator, (RunFolder(folder.locator), source))
    assert ours.config == theirs.config and ours.step == theirs.step
    # That of a run in two stages is its first stage.
    assert locator.given_locator(folder.root).root == folder.locator


def test_a_copied_locator_stays_once_the_run_has_learned(run_of, tmp_path):
    folder = RunFolder(tmp_path / "new")
    locator.copy_locator(run_of("imo").root, folder)
    locator.copy_locator(run_of("segmenter").root, folder)  # nothing was learned on the first's
    assert locator.restored_locator(RunFolder(folder.locator)).config.kind == "segmenter"
    shutil.copytree(RUNS / "imo" / "checkpoints", folder.checkpoints)
    locator.copy_locator(tmp_path / "gone", folder)
    assert locator.restored_locator(RunFolder(folder.locator)).config.kind == "segmenter"


def test_what_finds_no_disc_is_no_locator(run_of, tmp_path):
    semt = dataclasses.replace(DISC, locator=str(run_of("semt").root))
    with pytest.raises(UserError, match="holds a run of semt, which finds no discs"):
        locator.check_locator(dataclasses.replace(RunConfig(), squares=semt), tmp_path / "new")
    nothing = dataclasses.replace(DISC, locator=str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="holds no trained run that finds discs"):
        locator.check_locator(dataclasses.replace(RunConfig(), squares=nothing), tmp_path / "new")


def test_training_squares_are_moved_as_the_locator_errs():
    config = in_squares(default())
    learned = squares.moved(config, LocatorError(shift=0.1, size=0.2, eyes=9))
    augment = learned.augment
    assert (augment.crop_mode, augment.crop_size) == ("square", config.data.image_size)
    assert augment.crop_shift == pytest.approx(0.05)  # 0.1 diameters of a square of two
    ratio = (augment.scale_max / augment.scale_min) / (
        config.augment.scale_max / config.augment.scale_min
    )
    assert ratio == pytest.approx(np.exp(2 * np.sqrt(3) * 0.2))
    assert squares.stored_side(config) == 192  # 1.5 times 128


def store(eyes, placed=None):
    records = {
        split: [
            {"id": f"{split}{i}", "patient": f"{split}{i}", "grade": 0, "has_grade": False,
             "has_oct": False, "has_mask": False}
            for i in range(number)
        ]
        for split, number in eyes.items()
    }  # fmt: skip
    made = ArrayStore(WorkingGrid(16, None), records)
    made.squares = placed or {}
    return made


def test_eyes_without_a_square_are_counted_in_two_stages_alone():
    eyes = store({"test": 3}, {"test1": Square(0, 0, 8)})
    assert locator.seen_whole(in_squares(RunConfig()), eyes, "test") == ["test0", "test2"]
    assert locator.seen_whole(RunConfig(), eyes, "test") == []


def test_squares_and_the_record_of_them(tmp_path):
    config, eyes = in_squares(RunConfig()), store({"train": 1, "test": 2})
    found = {"train": [Disc(50.0, 60.0, 20.0)], "test": [None, Disc(10.0, 10.0, 30.0)]}
    assert squares.squares_of(config, eyes, found) == {
        "train0": Square(30, 40, 40), "test1": Square(-20, -20, 60)
    }  # fmt: skip
    folder = RunFolder(tmp_path)
    squares.write_squares(folder, config, eyes, found, LocatorError(0.1, 0.2, 7))
    with folder.squares.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["found"], row["side"]) for row in rows] == [
        ("train0", "1", "40"), ("test0", "0", ""), ("test1", "1", "60")
    ]  # fmt: skip
    error = json.loads((tmp_path / "squares.json").read_text())
    assert error == {"shift": 0.1, "size": 0.2, "eyes": 7}
    said = squares.described(found, LocatorError(0.1, 0.2, 7))
    assert said.startswith("discs found: train 1/1, test 1/2; error of the centre 0.100 diameters")

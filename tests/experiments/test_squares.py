"""Two stages: what the locator's run is, what the second stage learns from and is shown."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from data_pipelines.load import ArrayStore, WorkingGrid
from data_pipelines.squares import Disc, LocatorError, Square
from experiments import squares
from experiments.config import GraderRunConfig, RunConfig, SegmenterRunConfig, SquaresConfig
from experiments.presets import default
from experiments.run_folder import RunFolder
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.settings.fields import differences

DISC = SquaresConfig(region="disc", square_diameters=2.0, locator_steps=90)


def in_squares(config):
    return dataclasses.replace(config, squares=DISC)


def test_the_locator_is_the_same_run_on_whole_photographs_without_grade_and_oct():
    config = in_squares(default())
    located = squares.locator_config(config)
    changed = {line.split(":")[0] for line in differences(config, located)}
    assert changed == {
        "region", "use_oct", "grade", "train_steps", "eval_every", "save_every", "warmup_steps"
    }  # fmt: skip
    assert (located.loop.train_steps, located.loop.eval_every) == (90, 45)
    assert not squares.two_stages(located) and squares.two_stages(config)


def test_a_segmenters_locator_sees_no_oct():
    config = SegmenterRunConfig(model=SegmenterConfig(network="unetpp", with_oct=True))
    located = squares.locator_config(in_squares(config))
    assert located.model == SegmenterConfig(network="unetpp", with_oct=False)


def test_what_cannot_find_a_disc_is_refused():
    with pytest.raises(ValueError, match="region=disc needs a network that segments"):
        in_squares(GraderRunConfig())


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
    assert squares.seen_whole(in_squares(RunConfig()), eyes, "test") == ["test0", "test2"]
    assert squares.seen_whole(RunConfig(), eyes, "test") == []


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

"""Functions of the project as a file of their own."""

import importlib.util
import pathlib
import sys

import numpy as np
import pytest
from PIL import Image

from data_pipelines import framing, volumes
from imo_jax.export.source import standalone
from imo_jax.predictor import preparation

RUNS = pathlib.Path(__file__).resolve().parents[2] / "run_folders"


@pytest.fixture
def module(tmp_path):
    """Makes a module of a text."""

    def make(text):
        file = tmp_path / "prepared.py"
        file.write_text(text)
        spec = importlib.util.spec_from_file_location("prepared_alone", file)
        found = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = found  # dataclasses look there
        spec.loader.exec_module(found)
        return found

    yield make
    sys.modules.pop("prepared_alone", None)


def test_it_is_the_same_text_and_needs_nothing_of_the_project(module):
    text = standalone([*preparation.PHOTOGRAPH, *preparation.SQUARE], "Title.")
    assert "import data_pipelines" not in text and "from data_pipelines" not in text.replace(
        "# from data_pipelines", ""
    )
    assert "def frame_mask" not in text  # nothing that is not used
    photograph = np.asarray(Image.open(RUNS / "eye.jpg"))
    frame = framing.find_frame(photograph, 64)
    alone = module(text)
    found = alone.find_frame(photograph, 64)
    assert vars(found) == vars(frame)
    np.testing.assert_array_equal(
        alone.frame_image(photograph, found), framing.frame_image(photograph, frame)
    )
    assert (alone.RIM, alone.CUP, alone.IGNORE) == (1, 2, 255)  # constants from a third module


def test_volumes_are_brought_to_the_same_grid(module):
    volume = np.load(RUNS / "eye.npy")
    alone = module(standalone([*preparation.SCANS, *preparation.CUBE], "Title."))
    np.testing.assert_array_equal(
        alone.to_cube(volume, 4, 16, 16), volumes.to_cube(volume, 4, 16, 16)
    )
    np.testing.assert_array_equal(
        alone.to_scans(volume, 32, 32, 3), volumes.to_scans(volume, 32, 32, 3)
    )


def test_comments_and_decorators_stay(module):
    text = standalone([framing.find_frame], "Title.")
    assert "# The field of view is found on a copy" in text
    assert "@dataclasses.dataclass(frozen=True)\nclass Frame" in text
    assert module(text).__doc__ == "Title."

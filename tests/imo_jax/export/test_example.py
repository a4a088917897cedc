"""The example alone, where this project cannot be imported, says what the predictor says."""

import ast
import pathlib

import numpy as np
import pytest
from PIL import Image

RUNS = pathlib.Path(__file__).resolve().parents[2] / "run_folders"
EYE, VOLUME = RUNS / "eye.jpg", RUNS / "eye.npy"


def compare_eye(folder, format, predictor, run_example, files, where):
    said = run_example(folder, format, files, where)
    result = predictor.predict(*files)
    mask = np.asarray(Image.open(where / "mask.png"))
    assert mask.dtype == np.uint8 and mask.shape == result.mask.shape
    assert np.mean(mask != result.mask) < 1e-4
    if result.grade_probabilities is not None:
        grades = ast.literal_eval(said)
        assert grades == pytest.approx(result.grade_probabilities, abs=1e-4)
    return result


@pytest.mark.parametrize(
    ("name", "files"),
    [("imo", (EYE,)), ("segmenter", (EYE,)), ("two_stages", (EYE, VOLUME))],
)
def test_of_eyes(name, files, exported, predictor, run_example, tmp_path):
    folder = exported(name, "stablehlo")
    result = compare_eye(folder, "stablehlo", predictor(name), run_example, files, tmp_path)
    if name == "imo":
        assert set(np.unique(result.mask)) == {0, 1, 2}  # there is something to be compared
    if name == "two_stages":
        assert result.frame.width < min(result.size)  # the locator found a square


def test_of_volumes(exported, predictor, run_example, tmp_path):
    said = run_example(exported("semt", "stablehlo"), "stablehlo", (VOLUME,), tmp_path)
    compare_volume(said, predictor("semt").predict(VOLUME))


def compare_volume(said, result):
    glaucoma, field = (ast.literal_eval(line.partition(":")[2].strip()) for line in said.splitlines())
    assert glaucoma == pytest.approx(result.probability, abs=1e-4)
    assert field == pytest.approx(list(result.visual_field.values()), abs=1e-3)


def test_the_project_cannot_be_imported_there(run_example, tmp_path):
    (tmp_path / "example.py").write_text(
        "for name in ('imo_jax', 'data_pipelines', 'experiments', 'flax', 'tensorflow'):\n"
        "    try:\n        __import__(name)\n    except ImportError:\n        print(name)\n"
    )
    said = run_example(tmp_path, "stablehlo", (), tmp_path)
    assert said.split() == ["imo_jax", "data_pipelines", "experiments", "flax", "tensorflow"]

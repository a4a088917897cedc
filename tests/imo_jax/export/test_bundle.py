"""The example alone, where this project cannot be imported, says what the predictor says; the card
says what the files are."""

import ast
import hashlib
import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from imo_jax.export.parts import parts_of

RUNS = pathlib.Path(__file__).resolve().parents[2] / "run_folders"
EYE, VOLUME = RUNS / "eye.jpg", RUNS / "eye.npy"


def compare_eye(folder, format, predictor, run_example, files, where, side=None):
    said = run_example(folder, format, files if side is None else (side, *files), where)
    result = predictor.predict(*files, eye=side)
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


def test_left_eyes_are_seen_as_right_ones(exported, predictor, run_example, tmp_path):
    folder, files = exported("same_side", "stablehlo"), (EYE, VOLUME)
    found = {
        side: compare_eye(
            folder, "stablehlo", predictor("same_side"), run_example, files, tmp_path, side
        )
        for side in ("OS", "OD")
    }
    assert (found["OS"].mask != found["OD"].mask).any()
    assert found["OD"].frame == predictor("two_stages").predict(*files).frame
    card = json.loads((folder / "card.json").read_text())
    assert any("`locator` and `network` along their width" in step for step in card["preparation"])


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


def test_a_card_tells_inputs_outputs_and_the_way_between(exported, predictor):
    folder = exported("two_stages", "stablehlo")
    card = json.loads((folder / "card.json").read_text())
    assert [f["name"] for f in card["functions"]] == ["locator", "network"]
    for function, part in zip(card["functions"], parts_of(predictor("two_stages")), strict=True):
        content = (folder / function["file"]).read_bytes()
        assert function["bytes"] == len(content)
        assert function["sha256"] == hashlib.sha256(content).hexdigest()
        for way in ("inputs", "outputs"):
            told = {n: (tuple(x["shape"]), x["dtype"]) for n, x in function[way].items()}
            expected = {n: (("batch", *x.shape), x.dtype.name) for n, x in getattr(part, way).items()}
            assert told == expected
        assert 0 <= max(function["largest_difference_from_the_original"].values()) < 1e-5
    assert "not a medical device" in card["warning"]
    assert card["grades"] == ["normal", "early", "mid/advanced"]
    assert "seed 0" in card["noise"]
    assert any("2 disc diameters" in step for step in card["preparation"])


def test_a_card_for_people_names_all_of_it(exported):
    folder = exported("semt", "stablehlo")
    card, text = json.loads((folder / "card.json").read_text()), (folder / "card.md").read_text()
    for function in card["functions"]:
        for name in (*function["inputs"], *function["outputs"], function["file"]):
            assert name in text
    assert "(batch, 32, 32, 3)" in text and "(batch,)" in text
    assert "at most 6 B-scans" in text
    assert "threshold of validation: 0.5" in text

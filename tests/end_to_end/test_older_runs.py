"""Runs that earlier versions trained (tests/run_folders, form 1) predict and evaluate as they did.

Each folder holds a run of a few channels and what that version said of eye.jpg and eye.npy.
"""

import csv
import json
import pathlib
import shutil
import sys

import numpy as np
import pytest
import small_run
from PIL import Image

import imo_jax

RUNS = pathlib.Path(__file__).resolve().parents[1] / "run_folders"
EYE, VOLUME = RUNS / "eye.jpg", RUNS / "eye.npy"


def said(name):
    return json.loads((RUNS / name / "said.json").read_text())


def said_mask(name):
    return np.asarray(Image.open(RUNS / name / "said_mask.png"))


@pytest.fixture
def workdir(tmp_path):
    """workdir(name): a copy of a run's folder that may be written to."""

    def copy(name):
        return pathlib.Path(shutil.copytree(RUNS / name, tmp_path / name))

    return copy


@pytest.mark.parametrize("name", ["imo", "segmenter"])
def test_a_run_on_eyes_predicts_the_same(name):
    result = imo_jax.load(RUNS / name).predict(EYE, VOLUME if name == "imo" else None)
    expected = said(name)
    assert np.mean(result.mask != said_mask(name)) < 1e-4
    if "grade_probabilities" in expected:
        for grade, share in expected["grade_probabilities"].items():
            assert result.grade_probabilities[grade] == pytest.approx(share, abs=1e-4)
    # A ratio is measured along the contour since; then it was counted in rows of 64.
    assert result.vertical_cdr.value == pytest.approx(expected["vertical_cdr"]["value"], abs=0.04)


def test_a_screening_run_predicts_the_same(workdir, cache, tmp_path):
    done = small_run.run(
        [
            sys.executable, "-m", "experiments.semt", "--mode=predict",
            f"--workdir={workdir('semt')}", f"--oct={VOLUME}", f"--out={tmp_path / 'out'}",
        ],
        cache,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found, expected = json.loads((tmp_path / "out" / "eye.json").read_text()), said("semt")
    assert found["b_scans"] == expected["b_scans"]
    assert found["glaucoma_probability"] == pytest.approx(
        expected["glaucoma_probability"], abs=1e-4
    )
    for index, value in expected["visual_field"].items():
        assert found["visual_field"][index]["value"] == pytest.approx(value["value"], abs=0.002)


def test_a_run_on_eyes_is_evaluated(workdir, cache, tmp_path):
    """On its own mask: a Dice of 1, and what was the most probable grade is right."""
    for name, file in (("eye.jpg", EYE), ("eye.npy", VOLUME)):
        shutil.copy(file, tmp_path / name)
    shutil.copy(RUNS / "imo" / "said_mask.png", tmp_path / "mask.png")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        "id,patient,split,fundus,oct,mask,grade,mm_per_pixel,eye\n"
        "eye,p,test,eye.jpg,eye.npy,mask.png,2,0.0135,OS\n"
    )
    done = small_run.run(
        [
            sys.executable, "-m", "experiments.imo", "--mode=eval",
            f"--workdir={workdir('imo')}", f"--manifest={manifest}",
        ],
        cache,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "imo" / "eval" / "summary.json").read_text())
    assert summary["disc_dice"]["value"] > 0.999 and summary["cup_dice"]["value"] > 0.999
    assert summary["accuracy"]["value"] == 1
    with (tmp_path / "imo" / "eval" / "per_eye.csv").open() as file:
        (row,) = csv.DictReader(file)
    for kind in ("pred", "true"):
        area = int(row[f"disc_area_px_{kind}"]) * 0.0135**2
        assert float(row[f"disc_area_mm2_{kind}"]) == pytest.approx(area)
        assert 0 < float(row[f"rim_superior_mm_{kind}"]) < 1
        assert row[f"rim_temporal_{kind}"] and not row[f"rim_left_{kind}"]
    assert "mm\\u00b2" in (tmp_path / "imo" / "eval" / "report.html").read_text()  # JSON's spelling


def test_a_folder_is_predicted_and_its_bad_file_told(workdir, cache, tmp_path):
    (tmp_path / "eyes").mkdir()
    shutil.copy(EYE, tmp_path / "eyes" / "a.jpg")
    (tmp_path / "eyes" / "b.jpg").write_bytes(b"no picture")
    done = small_run.run(
        [
            sys.executable, "-m", "experiments.imo", "--mode=predict",
            f"--workdir={workdir('imo')}", f"--fundus={tmp_path / 'eyes'}",
            f"--out={tmp_path / 'out'}", "--mm_per_pixel=0.0135",
        ],
        cache,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "error: 1 of 2 failed:\n  b: " in done.stderr and "|" not in done.stderr
    with (tmp_path / "out" / "predictions.csv").open() as file:
        good, bad = csv.DictReader(file)
    area = int(good["disc_area_px"]) * 0.0135**2
    assert good["id"] == "a" and float(good["disc_area_mm2"]) == pytest.approx(area)
    assert bad["id"] == "b" and "b.jpg" in bad["error"]


def test_a_program_says_whose_run_a_folder_holds(workdir, cache):
    done = small_run.run(
        [
            sys.executable, "-m", "experiments.imo", "--mode=predict",
            f"--workdir={workdir('semt')}", f"--fundus={EYE}",
        ],
        cache,
    )  # fmt: skip
    assert done.returncode == 2
    assert "a run of experiments.semt, not of experiments.imo" in done.stderr


def test_a_setting_that_is_no_number_is_said(workdir, cache):
    folder = workdir("imo")
    values = json.loads((folder / "config.json").read_text())
    values["data"]["image_size"] = "64"
    (folder / "config.json").write_text(json.dumps(values))
    done = small_run.run(
        [
            sys.executable, "-m", "experiments.imo", "--mode=predict", f"--workdir={folder}",
            f"--fundus={EYE}",
        ],
        cache,
    )  # fmt: skip
    assert done.returncode == 2 and "image_size is '64', want a whole number" in done.stderr

"""Sets of two and of four grades: trained, evaluated and predicted; networks on sets of other grades (a third is
in test_small_run.py)."""

import csv
import json
import shutil
import sys

import pytest
import small_run
from other_grades import TWO, of_two_grades, program, relabelled, row_of, summary_of

FOUR = ("healthy", "mild", "moderate", "severe")
SHORT = ("--train_steps=2", "--eval_every=2", "--save_every=2", "--overlays=1")


@pytest.fixture(scope="module")
def two(phantom):
    return of_two_grades(phantom)


@pytest.fixture(scope="module")
def four(phantom):
    return relabelled(phantom, "four.csv", FOUR, lambda grade, i: grade + (grade == 2 and i % 2))


@pytest.fixture(scope="module")
def of_two(tmp_path_factory, two, cache):
    """The folder of an IMO that was trained on two grades; their number does not reach the rest of it."""
    workdir = tmp_path_factory.mktemp("two") / "run"
    command = small_run.command(workdir, two, *SHORT, *small_run.PLAIN, "--nouse_oct")
    done = small_run.run(command, cache, timeout=600)
    assert done.returncode == 0, done.stderr
    return workdir


def test_two_grades_are_scored_as_two(of_two):
    summary = summary_of(of_two / "eval")
    assert summary["grades"] == list(TWO) and summary["grade_map"] is None
    for key in ("referable_auc", "sensitivity_at_90_specificity", "accuracy", "qwk"):
        assert summary[key]["low"] <= summary[key]["value"] <= summary[key]["high"], key
    assert {"probability_normal", "probability_glaucoma"} <= row_of(of_two / "eval").keys()
    assert "probability_early" not in row_of(of_two / "eval")
    table = (of_two / "eval" / "table.txt").read_text()
    assert "AUC, glaucoma against normal" in table
    config = json.loads((of_two / "config.json").read_text())
    assert config["data"]["grade_names"] == list(TWO) and config["model"]["num_grades"] == 2


def test_the_report_speaks_of_two_grades(of_two):
    report = (of_two / "eval" / "report.html").read_text()
    assert "glaucoma (true grade)" in report and '<th scope="col">glaucoma</th>' in report
    assert "mid/advanced" not in report
    # Kappa chooses nothing here: the area under the curve does.
    with (of_two / "validation.csv").open() as file:
        row = next(csv.DictReader(file))
    parts = [float(row[n]) for n in ("disc_dice", "cup_dice", "referable_auc") if row.get(n)]
    assert float(row["score"]) == pytest.approx(sum(parts) / len(parts))


def test_a_prediction_names_the_two_grades(of_two, phantom, cache, tmp_path):
    folder = tmp_path / "fundus"
    folder.mkdir()
    for photograph in sorted((phantom / "fundus").iterdir())[:2]:
        shutil.copy(photograph, folder)
    program(
        cache, "imo", "--mode=predict", f"--workdir={of_two}", f"--fundus={folder}",
        f"--out={tmp_path}",
    )  # fmt: skip
    with (tmp_path / "predictions.csv").open() as file:
        row, _ = csv.DictReader(file)
    assert row["grade"] in TWO
    assert float(row["probability_normal"]) + float(row["probability_glaucoma"]) == pytest.approx(1)
    said = json.loads((tmp_path / f"{row['id']}.json").read_text())
    assert said["grade"] == row["grade"] and set(said["grade_probabilities"]) == set(TWO)


def test_a_network_of_two_grades_on_three(of_two, phantom, cache, tmp_path):
    program(
        cache, "imo", "--mode=eval", f"--workdir={of_two}", f"--out={tmp_path}",
        f"--manifest={phantom / 'manifest.csv'}",
    )  # fmt: skip
    summary = summary_of(tmp_path)
    assert summary["grades"] == list(TWO)
    assert "manifest: early, mid/advanced" in summary["grade_map"]
    assert summary["referable_auc"] == summary_of(of_two / "eval")["referable_auc"]


def test_four_grades_and_three(four, phantom, cache, tmp_path):
    workdir = tmp_path / "run"
    program(
        cache, "grader", f"--workdir={workdir}", f"--manifest={four}", "--size=tiny",
        *small_run.SHARED_SETTINGS, *SHORT, "--grade_loss=ordinal", "--grade_class_weights=1,1,1,2",
    )  # fmt: skip
    summary = summary_of(workdir / "eval")
    assert summary["grades"] == list(FOUR)
    row = row_of(workdir / "eval")
    assert sum(float(row[f"probability_{name}"]) for name in FOUR) == pytest.approx(1, abs=1e-5)
    assert '<th scope="col">severe</th>' in (workdir / "eval" / "report.html").read_text()
    three = ("--mode=eval", f"--workdir={workdir}", f"--manifest={phantom / 'manifest.csv'}")
    refused = small_run.run(
        [sys.executable, "-m", "experiments.grader", *three, f"--out={tmp_path / 'no'}"], cache
    )
    assert refused.returncode == 2 and "Traceback" not in refused.stderr
    assert "--grade_map=" in refused.stderr and not (tmp_path / "no").exists()
    pairs = "normal=healthy,early=mild,mid/advanced=moderate,mid/advanced=severe"
    program(cache, "grader", *three, f"--grade_map={pairs}", f"--out={tmp_path / 'three'}")
    told = summary_of(tmp_path / "three")
    assert told["grades"] == ["healthy", "mild", "mid/advanced"]
    assert told["referable_auc"] == summary["referable_auc"]

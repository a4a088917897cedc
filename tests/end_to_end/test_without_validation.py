"""The paper's 80/20 has no validation split: the run goes to its last step, which counts."""

import json
import sys

import pandas as pd
import small_run
import small_screening

from data_pipelines.phantom import make_phantom


def test_a_run_without_a_validation_split_takes_its_last_step(phantom, cache, tmp_path):
    rows = pd.read_csv(phantom / "manifest.csv", dtype=str)
    rows["split"] = rows["split"].replace("val", "train")
    manifest = phantom / "without_validation.csv"
    rows.to_csv(manifest, index=False)
    command = small_run.command(tmp_path / "run", manifest, *small_run.SHAPES_ALONE)
    done = small_run.run(command, cache)
    assert done.returncode == 0, done.stderr
    assert "no row has the split 'val'" in done.stderr
    assert "no eye is in the split 'val'" in done.stderr
    summary = json.loads((tmp_path / "run" / "eval" / "summary.json").read_text())
    assert summary["checkpoint_step"] == 6
    report = (tmp_path / "run" / "eval" / "report.html").read_text()
    assert "no validation eyes and no choice of a checkpoint" in report


def test_screening_without_a_validation_split_takes_its_last_step(cache, tmp_path):
    made = make_phantom(tmp_path / "phantom", eyes=8, seed=3)
    rows = pd.read_csv(made / "screening.csv", dtype=str)
    rows["split"] = rows["split"].replace("val", "train")
    manifest = made / "without_validation.csv"
    rows.to_csv(manifest, index=False)
    command = small_screening.command(tmp_path / "run", manifest, "--method=2d")
    done = small_run.run(command, cache, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "no row has the split 'val'" in done.stderr
    assert "no volume is in the split 'val'" in done.stderr
    summary = json.loads((tmp_path / "run" / "eval" / "summary.json").read_text())
    assert summary["checkpoint_step"] == 6 and summary["chosen_thresholds"] is None
    assert (tmp_path / "run" / "eval" / "report.html").exists()
    alpha = small_screening.command(tmp_path / "alpha", manifest, "--mode=select_alpha")
    done = small_run.run(alpha, cache)
    assert done.returncode == 2 and "on which alpha is chosen" in done.stderr


def test_a_table_without_a_validation_split_takes_one_rate_and_the_last_steps(
    phantom, cache, tmp_path
):
    rows = pd.read_csv(phantom / "manifest.csv", dtype=str)
    rows["split"] = rows["split"].replace("val", "train")
    manifest = phantom / "table_without_validation.csv"
    rows.to_csv(manifest, index=False)
    command = [
        sys.executable, "-m", "experiments.tables", "--table=1", "--only=unet",
        f"--manifest={manifest}", f"--out={tmp_path}", *small_run.SHARED_SETTINGS,
        "--train_steps=3", "--eval_every=1", "--save_every=1",
    ]  # fmt: skip
    done = small_run.run(command, cache)
    assert done.returncode == 2 and "give one with --rates=RATE" in done.stderr
    done = small_run.run([*command, "--rates=1e-3"], cache)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "table1" / "table.md").read_text()
    assert "every run's last checkpoint counts" in table
    assert (tmp_path / "unet" / "fold0-seed0-rate0.001" / "checkpoints" / "3").is_dir()

"""The paper's 80/20 has no validation split: the run goes to its last step, which counts."""

import json

import pandas as pd
import small_run

STEPS = ("--train_steps=3", "--eval_every=1", "--save_every=1", "--nograde", "--nouse_oct")


def test_a_run_without_a_validation_split_takes_its_last_step(phantom, cache, tmp_path):
    rows = pd.read_csv(phantom / "manifest.csv", dtype=str)
    rows["split"] = rows["split"].replace("val", "train")
    manifest = phantom / "without_validation.csv"
    rows.to_csv(manifest, index=False)
    done = small_run.run(small_run.command(tmp_path / "run", manifest, *STEPS), cache)
    assert done.returncode == 0, done.stderr
    assert "no row has the split 'val'" in done.stderr
    assert "no eye is in the split 'val'" in done.stderr
    summary = json.loads((tmp_path / "run" / "eval" / "summary.json").read_text())
    assert summary["checkpoint_step"] == 3
    report = (tmp_path / "run" / "eval" / "report.html").read_text()
    assert "no validation eyes and no choice of a checkpoint" in report

"""A locator, then a network on squares: one command, one folder; stopped in either, it goes on."""

import csv
import json
import sys

import numpy as np
import pytest
import small_run

from imo_jax.checkpoints import restore_variables

# The locator's own half of the work is enough to stop in.
MORE = ("--region=disc", "--locator_steps=6", *small_run.SHAPES_ALONE)


@pytest.fixture(scope="module")
def trained(phantom, cache, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "stages"
    done = small_run.run(small_run.command(workdir, phantom / "manifest.csv", *MORE), cache)
    assert done.returncode == 0, done.stderr
    return workdir, done


def test_one_folder_holds_both_stages_and_the_squares(trained):
    workdir, done = trained
    assert "stage 1" in done.stderr and "stage 2" in done.stderr and "discs found:" in done.stderr
    assert json.loads((workdir / "locator" / "config.json").read_text())["squares"]["region"] == (
        "photograph"
    )
    with (workdir / "squares.csv").open() as file:
        splits = {row["split"] for row in csv.DictReader(file)}
    assert splits == {"train", "val", "test"}
    summary = json.loads((workdir / "eval" / "summary.json").read_text())
    assert summary["disc_dice"]["value"] >= 0 and summary["num_eyes"] == 5
    with (workdir / "squares.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    whole = [row["id"] for row in rows if row["found"] == "0"]
    assert summary["seen_whole"] == whole
    assert whole == [] or f"no credible disc in {len(whole)} of 5 test eyes" in done.stderr


def test_prediction_looks_where_the_locator_says(trained, phantom, cache, tmp_path):
    workdir, _ = trained
    eye = min((phantom / "fundus").iterdir())
    done = small_run.run(
        [
            sys.executable, "-m", "experiments.imo", "--mode=predict", f"--workdir={workdir}",
            f"--fundus={eye}", f"--out={tmp_path}",
        ],
        cache,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads((tmp_path / f"{eye.stem}.json").read_text())
    whole = said["square"]["side"] > 200  # the phantom's photographs have 512 pixels
    assert whole == any("no credible disc" in text for text in said["warnings"])


@pytest.mark.slow
def test_a_finished_locator_is_not_trained_again_and_both_go_on_to_the_same_bits(
    trained, phantom, cache, tmp_path
):
    workdir, _ = trained
    again = tmp_path / "again"
    short = [*MORE, "--mode=train"]
    done = small_run.run(small_run.command(again, phantom / "manifest.csv", *short), cache)
    assert done.returncode == 0, done.stderr
    done = small_run.run(small_run.command(again, phantom / "manifest.csv", *short), cache)
    assert done.returncode == 0, done.stderr
    for part in ("checkpoints", "locator/checkpoints"):
        one, _ = restore_variables(workdir / part, which="last")
        other, _ = restore_variables(again / part, which="last")
        for name, x in _flat(one).items():
            np.testing.assert_array_equal(x, _flat(other)[name])


def _flat(tree, prefix=""):
    if not isinstance(tree, dict):
        return {prefix: tree}
    return {k: v for name in tree for k, v in _flat(tree[name], f"{prefix}/{name}").items()}

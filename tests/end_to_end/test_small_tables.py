"""The rows of the paper's tables, trained for two steps each: from flagfile to prediction."""

import sys

import numpy as np
import pandas as pd
import programs
import pytest
import small_run
from PIL import Image

from data_pipelines.load.stores import ArrayStore
from data_pipelines.manifest import read_manifest
from experiments.comparison import evaluation, runs, settings
from experiments.comparison.rows import TRAINED
from experiments.comparison.settings import Study
from experiments.run_predict import run_predict
from imo_jax.layers import depthwise

SHORT = (
    "--image_size=32", "--crop_size=32", "--oct_depth=16", "--oct_width=16", "--batch_size=4",
    "--eval_batch_size=4", "--train_steps=2", "--eval_every=2", "--save_every=2",
    "--warmup_steps=1", "--bootstrap=20", "--overlays=1", "--locator_steps=2",
)  # fmt: skip
SMALL_IMO = tuple(
    setting
    for setting in small_run.SETTINGS
    if setting.partition("=")[0][2:]
    in ("oct_slices", "backbone_depths", "backbone_widths", "feature_dim", "norm_groups",
        "channel_attention_reduction", "grade_hidden", "decoder_layers", "decoder_heads",
        "decoder_mlp", "time_dim", "oct_blocks", "grade_blocks")
)  # fmt: skip


class InMemory:
    """Stores of a small manifest, without a cache on disk."""

    def __init__(self):
        self._stores = {}

    def of(self, config):
        if config.oct_shape not in self._stores:
            manifest = read_manifest(config.data.manifest)
            made = ArrayStore.from_manifest(manifest, config.data.image_size, config.oct_shape)
            self._stores[config.oct_shape] = made
        return self._stores[config.oct_shape]


@pytest.fixture(scope="module")
def study(phantom, tmp_path_factory):
    """A comparison whose rows share one small locator, trained by the first of them."""
    # One eye at a time: evaluation and prediction are the same program, compiled once.
    # Shapes on the locator's grid, as the paper's: a fine path takes as long again to compile.
    extra = (*SHORT, "--eval_batch_size=1", *SMALL_IMO, "--oct_blocks=1", "--fine_stride=4")
    out = tmp_path_factory.mktemp("tables")
    return Study(out, (str(phantom / "manifest.csv"),), rates=(1e-3,), extra=extra)


@pytest.fixture(scope="module")
def stores():
    return InMemory()


@pytest.fixture
def compiles_quickly(monkeypatch):
    """As `programs.run` has it."""
    monkeypatch.setattr(depthwise, "depthwise_conv", depthwise.grouped_conv)


@pytest.mark.usefixtures("compiles_quickly")
@pytest.mark.parametrize("name", ["unetpp", "resnet", "imo_without_ird"])
def test_a_segmenter_a_grader_and_an_ablation_train_are_scored_and_predict(
    name, study, stores, phantom, tmp_path
):
    row = TRAINED[name]
    (run,) = settings.tried_runs(study, row)
    assert runs.train_run(study, run, stores) == 0
    evaluation.evaluate_run(study, run, stores)
    folder = settings.run_folder(study, run)
    records = evaluation.read_records(folder.evaluation)
    segments, grades = row.program != "grader", row.program != "segmenter"
    assert len(records) == 5
    assert all((r["confusion"] is not None) == segments for r in records)
    assert all((r["grade_probabilities"] is not None) == grades for r in records)

    photograph = min((phantom / "fundus").glob("*.jpg"))
    trained = settings.restored(study, run)
    (said,) = run_predict(
        trained, fundus=str(photograph), volume=None, manifest=None, out=str(tmp_path / "said")
    ).said
    assert ("vertical_cdr" in said) == segments and ("grade" in said) == grades


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_every_row_trains_evaluates_and_predicts_from_its_flagfile(name, phantom, cache, tmp_path):
    row = TRAINED[name]
    folder = programs.ROOT / "experiments" / "flagfiles" / "tables"
    program = [sys.executable, "-m", f"experiments.{row.program}"]
    command = [
        *program, f"--flagfile={folder / name}.flags", f"--flagfile={folder}/scale_cpu.flags",
        f"--manifest={phantom / 'manifest.csv'}", f"--workdir={tmp_path}", *SHORT,
        "--image_size=64", "--crop_size=64",
    ]  # fmt: skip
    done = small_run.run(command, cache, timeout=900)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "eval" / "summary.json").exists()
    photograph = min((phantom / "fundus").glob("*.jpg"))
    predicting = ["--mode=predict", f"--workdir={tmp_path}", f"--fundus={photograph}"]
    done = small_run.run([*program, *predicting], cache, timeout=900)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "predictions" / f"{photograph.stem}.json").exists()


@pytest.mark.slow
def test_a_table_from_its_command_line_and_again(phantom, cache, tmp_path):
    command = [
        sys.executable, "-m", "experiments.tables", "--table=1", "--only=unetpp,imo,ensemble",
        f"--manifest={phantom / 'manifest.csv'}", f"--out={tmp_path}", "--rates=1e-3,3e-3",
        "--seeds=2", *SHORT, *SMALL_IMO,
    ]  # fmt: skip
    done = small_run.run(command, cache, timeout=1800)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("== ") == 6  # two rates and a second seed, of two rows
    for name in ("eyes.png", "intervals.png"):
        assert np.asarray(Image.open(tmp_path / "table1" / name)).std() > 0
    table = pd.read_csv(tmp_path / "table1" / "table.csv")
    cost = table[table["kind"] == "cost"].set_index(["row", "key"])["value"]
    for key in ("parameters", "flops", "latency_s", "train_s"):
        assert cost["ensemble", key] == pytest.approx(cost["unetpp", key] + cost["imo", key])
        assert cost["unetpp", key] > 0
    again = small_run.run(command, cache, timeout=900)
    assert again.returncode == 0, again.stderr
    assert "== " not in again.stderr
    assert again.stdout == done.stdout

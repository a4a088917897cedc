"""From a manifest to scores, pictures and predictions, by the program's own command line."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import small_run
from other_grades import TWO, of_two_grades, program, row_of, summary_of
from PIL import Image

REQUIRED = (
    "micro_dice_background", "micro_dice_rim", "micro_dice_cup", "micro_mdice", "disc_dice",
    "cup_dice", "vcdr_mae", "qwk", "accuracy", "macro_precision", "macro_recall", "macro_f1",
)  # fmt: skip


def imo(cache, *arguments, without_tensorflow=False):
    if not without_tensorflow:
        return small_run.run([sys.executable, "-m", "experiments.imo", *map(str, arguments)], cache)
    block = "import sys; sys.modules['tensorflow'] = sys.modules['tensorflow_datasets'] = None"
    code = f"{block}; import runpy; runpy.run_module('experiments.imo', None, '__main__')"
    return small_run.run_alone([sys.executable, "-c", code, *map(str, arguments)], cache)


def test_summary_has_every_key_with_its_interval(trained):
    workdir, _ = trained
    summary = json.loads((workdir / "eval" / "summary.json").read_text())
    for key in REQUIRED:
        assert summary[key]["low"] <= summary[key]["value"] <= summary[key]["high"], key
    assert summary["num_eyes"] == 5
    assert set(summary["controls"]) == {"one_step", "x_t_zeroed", "oct_withheld"}
    assert summary["baseline"]["disc_dice"] is not None


def test_errors_on_validation_eyes_stand_beside_what_is_said(trained):
    workdir, _ = trained
    calibration = json.loads((workdir / "calibration.json").read_text())
    summary = json.loads((workdir / "eval" / "summary.json").read_text())
    assert summary["calibration"] == calibration
    assert calibration["step"] == summary["checkpoint_step"]
    assert calibration["graded_eyes"] == 1  # too few to promise anything
    assert calibration["temperature"] is None
    assert calibration["cdr_error"] is None and summary["cdr_interval_coverage"] is None


def test_pictures_and_tables_are_written(trained):
    workdir, done = trained
    folder = workdir / "eval"
    for name in ("confusion.png", "vcdr.png", "reliability.png", "scores.png"):
        assert np.asarray(Image.open(folder / name)).std() > 0, name
    assert len(list((folder / "overlays").glob("*.png"))) == 2  # --overlays=2
    assert len(list((folder / "strips").glob("*.png"))) == 3
    with (folder / "per_eye.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 and all("warnings" in row for row in rows)
    report = (folder / "report.html").read_text()
    assert "IMO on 5 test eyes" in report and "whole-disc Dice per eye" in report
    assert "step 1 of" in report and "--workdir" in report  # sliders, and the command
    assert "whole-disc Dice per eye" in done.stdout
    assert list((workdir / "tensorboard").glob("events*"))


def test_the_log_is_short_and_says_what_runs_where(trained):
    _, done = trained
    assert "parameters in float32" in done.stderr
    assert "CPU device" in done.stderr
    assert len(done.stderr.splitlines()) < 40, done.stderr


def test_a_network_of_three_grades_on_two(trained, phantom, cache, tmp_path):
    workdir, _ = trained
    two = of_two_grades(phantom)
    done = program(
        cache, "imo", "--mode=eval", f"--workdir={workdir}", f"--manifest={two}",
        f"--out={tmp_path}", compiles_quickly=False,
    )  # fmt: skip
    summary = summary_of(tmp_path)
    said = "glaucoma (network: early, mid/advanced; manifest: glaucoma)"
    assert said in summary["grade_map"] and said in done.stderr
    assert summary["grades"] == list(TWO) and summary["grade_set_coverage"] is None
    assert summary["trained_on"].endswith("manifest.csv") and summary["manifest"] == str(two)
    assert "of another manifest" in (tmp_path / "report.html").read_text()
    # What is scored is the network's own: early and mid/advanced together.
    mine, own = row_of(tmp_path), row_of(workdir / "eval")
    assert mine["id"] == own["id"]
    rest = float(own["probability_early"]) + float(own["probability_mid_advanced"])
    assert float(mine["probability_glaucoma"]) == pytest.approx(rest, abs=1e-6)
    assert summary["referable_auc"] == summary_of(workdir / "eval")["referable_auc"]
    assert summary["disc_dice"] == summary_of(workdir / "eval")["disc_dice"]


def test_prediction_of_one_eye_needs_no_tensorflow(trained, phantom, cache, tmp_path):
    workdir, _ = trained
    photograph = min((phantom / "fundus").glob("*.jpg"))
    volume = min((phantom / "oct").glob(f"{photograph.stem}*.npy"))
    done = imo(
        cache, "--mode=predict", f"--workdir={workdir}", f"--fundus={photograph}",
        f"--oct={volume}", f"--out={tmp_path}", without_tensorflow=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / f"{photograph.stem}.json").read_text())
    assert result["has_oct"] is True
    assert abs(sum(result["grade_probabilities"].values()) - 1) < 1e-5
    mask = Image.open(tmp_path / f"{photograph.stem}_mask.png")
    assert mask.size == Image.open(photograph).size
    assert set(np.unique(np.asarray(mask))) <= {0, 1, 2}
    assert (tmp_path / f"{photograph.stem}_overlay.png").exists()


def test_going_on_with_other_settings_is_refused_with_the_differences(trained, phantom, cache):
    workdir, _ = trained
    changed = small_run.command(
        workdir, phantom / "manifest.csv", "--mode=train", "--train_steps=8", "--learning_rate=0.5"
    )
    done = small_run.run(changed, cache)
    assert done.returncode == 2
    assert "learning_rate: 0.003 -> 0.5" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_lists_all_faults_and_fails(phantom, cache, tmp_path):
    lines = (phantom / "manifest.csv").read_text().splitlines()
    (tmp_path / "manifest.csv").write_text(
        "\n".join(
            [
                lines[0],
                "a,p1,train,absent.jpg,,,0",
                "a,p1,val,../out.jpg,,,7",
                "b,p2,trian,broken.jpg,,,",
            ]
        )
    )
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    done = imo(cache, "--mode=check", f"--manifest={tmp_path / 'manifest.csv'}")
    assert done.returncode == 1
    for said in ("absent.jpg", "line 3", "trian", "broken.jpg", "p1"):
        assert said in done.stdout, said


def test_check_of_a_sound_manifest_is_quiet(phantom, cache):
    done = imo(cache, "--mode=check", f"--manifest={phantom / 'manifest.csv'}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_prediction_without_a_run_says_what_to_do(cache, tmp_path):
    done = imo(cache, "--mode=predict", f"--workdir={tmp_path}", "--fundus=eye.jpg")
    assert done.returncode == 2
    assert "train first" in done.stderr


def test_a_step_and_a_sample_run_where_tensorflow_cannot_be_imported():
    code = """
import sys
sys.modules["tensorflow"] = sys.modules["tensorflow_datasets"] = None
import jax, numpy as np
import imo_jax
from imo_jax.models.imo import IMO, IMOConfig
from imo_jax.models.imo.sample import predict
from imo_jax.train import (
    imo_objective, optimiser, packing, parallel, state, step, weight_decay)
config = IMOConfig(backbone_depths=(1, 1, 1, 1), backbone_widths=(4, 4, 4, 4), feature_dim=8,
                   norm_groups=2, use_oct=False, channel_attention_reduction=2, grade_hidden=8,
                   grade_blocks=1, se_reduction=2, decoder_layers=1, decoder_heads=2,
                   decoder_mlp=8, time_dim=8, refine="single")
batch = {"fundus": np.zeros((1, 32, 32, 3), np.uint8), "mask": np.zeros((1, 32, 32), np.int32),
         "grade": np.zeros(1, np.int32), "has_mask": np.ones(1, bool),
         "has_grade": np.ones(1, bool), "index": np.zeros(1, np.uint32)}
variables = jax.jit(lambda: IMO(config).init(
    jax.random.key(0), np.zeros((1, 32, 32, 3), np.float32), None))()
settings = optimiser.OptimiserConfig(warmup_steps=0)
rate = optimiser.learning_rate(settings, 2)
adamw = optimiser.make_optimiser(settings, rate, packing.decays)
objective = imo_objective.ImoObjective(config, imo_objective.ObjectiveConfig(), 2)
begun = state.create(
    variables, adamw, decay_mask=weight_decay.kernels_only, keep_ema=False)
part = {name: value[None] for name, value in batch.items()}
done, metrics = jax.jit(lambda s, b: step.train_step(
    s, b, objective=objective, optimiser=adamw, rate=rate, key=jax.random.key(0)))(begun, part)
assert np.isfinite(metrics["loss"]) and int(done.step) == 1
found = predict(state.evaluation_variables(done), batch, config=config)
assert found["probabilities"].shape == (1, 32, 32, 3)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr

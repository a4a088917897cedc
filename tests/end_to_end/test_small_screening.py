"""SEMT and its rivals from a manifest to scores and pictures, by the program's own command line."""

import csv
import json
import pathlib
import sys

import numpy as np
import pandas as pd
import pytest
import small_run
import small_screening
from PIL import Image

from data_pipelines.phantom import make_phantom

RING = pathlib.Path(__file__).resolve().parents[1] / "data_pipelines" / "oct_ring" / "bscan.png"
REQUIRED = (
    *(f"{level}_{name}" for level in ("image", "case") for name in ("accuracy", "f1", "auc")),
    *(f"{index}_{name}" for index in ("vfi", "md", "psd") for name in ("r", "mae")),
)


@pytest.fixture(scope="session")
def volumes(tmp_path_factory):
    """The folder of a phantom with several visits and several volumes a visit."""
    folder = tmp_path_factory.mktemp("volumes") / "phantom"
    return make_phantom(folder, **small_screening.PHANTOM)


@pytest.fixture(scope="session")
def screened(tmp_path_factory, volumes, cache):
    """(workdir, finished process) of a SEMT run without --mode."""
    workdir = tmp_path_factory.mktemp("run") / "semt"
    arguments = small_screening.command(workdir, volumes / "screening.csv")
    done = small_run.run(arguments, cache, timeout=600)
    assert done.returncode == 0, done.stderr
    return workdir, done


def semt(cache, *arguments, without_tensorflow=False):
    if not without_tensorflow:
        return small_run.run([sys.executable, "-m", "experiments.semt", *map(str, arguments)], cache)
    block = "import sys; sys.modules['tensorflow'] = sys.modules['tensorflow_datasets'] = None"
    code = f"{block}; import runpy; runpy.run_module('experiments.semt', None, '__main__')"
    return small_run.run_alone([sys.executable, "-c", code, *map(str, arguments)], cache)


def test_summary_has_every_key_with_its_interval(screened):
    workdir, done = screened
    summary = json.loads((workdir / "eval" / "summary.json").read_text())
    for key in REQUIRED:
        assert summary[key]["low"] <= summary[key]["value"] <= summary[key]["high"], key
    assert summary["num_volumes"] == 2 * summary["num_cases"]  # two volumes a visit
    assert summary["num_cases"] > summary["num_patients"]
    assert summary["baseline"]["image_accuracy"] is not None
    assert set(summary["chosen_thresholds"]) == {"image", "case"}
    assert "image level: AUC" in done.stdout


def test_every_volume_without_a_visual_field_borrows_from_its_class(screened, volumes):
    workdir, _ = screened
    rows = pd.read_csv(volumes / "screening.csv", dtype=str, keep_default_na=False)
    train = rows[rows["split"] == "train"].set_index("id")
    loans = pd.read_csv(workdir / "surrogates.csv", dtype={"borrower": str, "donor": str})
    hidden = set(train.index[train["md"] == ""])
    assert hidden
    assert set(loans["borrower"]) == hidden
    assert not set(loans["donor"]) & hidden
    classes = train["glaucoma"]
    assert all(
        classes[b] == classes[d] for b, d in zip(loans["borrower"], loans["donor"], strict=True)
    )


def test_pictures_and_tables_are_written(screened):
    folder = screened[0] / "eval"
    for name in ("roc.png", "calibration.png", "visual_fields.png", "cams/b_scans.png"):
        assert np.asarray(Image.open(folder / name)).std() > 0, name
    assert len(list((folder / "cams").glob("*.png"))) == 5  # two volumes of each class, and B-scans
    assert "Activation maps show" in (folder / "report.html").read_text()
    for name in ("per_image.csv", "per_case.csv"):
        with (folder / name).open() as file:
            assert len(list(csv.DictReader(file))) > 3


def test_the_log_is_short_and_says_what_runs_where(screened):
    _, done = screened
    for said in ("stage 1", "stage 2", "borrow a visual field", "parameters in float32"):
        assert said in done.stderr
    assert len(done.stderr.splitlines()) < 50, done.stderr


def test_prediction_of_one_volume_needs_no_tensorflow(screened, volumes, cache, tmp_path):
    volume = min((volumes / "oct").glob("*.npy"))
    done = semt(
        cache, "--mode=predict", f"--workdir={screened[0]}", f"--oct={volume}",
        f"--out={tmp_path}", without_tensorflow=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / f"{volume.stem}.json").read_text())
    assert 0 <= result["glaucoma_probability"] <= 1
    assert result["b_scans"] == 6  # --max_scans
    assert set(result["visual_field"]) == {"vfi", "md", "psd"}
    for name in ("cam", "en_face"):
        assert (tmp_path / f"{volume.stem}_{name}.png").exists()


def test_a_real_b_scan_is_a_volume_of_one(screened, cache, tmp_path):
    done = semt(
        cache, "--mode=predict", f"--workdir={screened[0]}", f"--oct={RING}", f"--out={tmp_path}"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "bscan.json").read_text())["b_scans"] == 1


def test_prediction_equals_evaluation(screened, volumes, cache, tmp_path):
    workdir, _ = screened
    row = pd.read_csv(workdir / "eval" / "per_image.csv", dtype={"id": str}).iloc[0]
    done = semt(
        cache, "--mode=predict", f"--workdir={workdir}", f"--out={tmp_path}",
        f"--oct={volumes / 'oct' / (row['id'] + '.npy')}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / f"{row['id']}.json").read_text())
    np.testing.assert_allclose(result["glaucoma_probability"], row["probability"], atol=1e-6)
    np.testing.assert_allclose(result["visual_field"]["md"]["value"], row["md_pred"], atol=2e-3)


def test_check_lists_all_faults_and_fails(volumes, cache, tmp_path):
    header = (volumes / "screening.csv").read_text().splitlines()[0]
    np.save(tmp_path / "flat.npy", np.zeros(8, np.uint8))
    np.save(tmp_path / "nan.npy", np.full((2, 8, 8), np.nan, np.float32))
    (tmp_path / "screening.csv").write_text(
        "\n".join(
            [
                header,
                "a,p1,OD,1,train,flat.npy,0,,,",
                "b,p1,OS,1,test,nan.npy,0,140,-2,3",
                "c,p2,OD,1,train,absent.npy,1,90,-2,3",
                "d,p3,OX,1,val,nan.npy,2,90,-50,3",
            ]
        )
    )
    done = semt(cache, "--mode=check", f"--manifest={tmp_path / 'screening.csv'}")
    assert done.returncode == 1
    for said in ("flat.npy", "nan.npy", "absent.npy", "p1", "140", "OX", "-50", "normal"):
        assert said in done.stdout, f"{said}\n{done.stdout}"


RAW = ("--raw_slices=12", "--raw_depth=24", "--raw_width=12", "--raw_crop=8,16,8",
       "--raw_accumulation=2")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("method", ["mt", "2d", "3d_resnet", "3d_cnn"])
def test_every_rival_trains_evaluates_and_predicts(volumes, cache, tmp_path, method):
    workdir = tmp_path / method
    flagfile = f"--flagfile=experiments/flagfiles/semt/all_{method}.flags"
    manifest = volumes / "screening.csv"
    done = small_run.run(
        small_screening.command(workdir, manifest, flagfile, *RAW, f"--workdir={workdir}"), cache, 600
    )
    assert done.returncode == 0, done.stderr
    raw = "parts of 8 x 16 x 8 of volumes of 12 x 24 x 12 voxels"
    assert (raw in done.stderr) == (method == "3d_resnet"), done.stderr
    volume = min((volumes / "oct").glob("*.npy"))
    done = semt(cache, "--mode=predict", f"--workdir={workdir}", f"--oct={volume}")
    assert done.returncode == 0, done.stderr
    assert (workdir / "predictions" / f"{volume.stem}.json").exists()

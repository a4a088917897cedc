"""Prediction of many files: the table, what is refused, and that the rest goes on."""

import io
import pathlib
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from experiments import predicting
from experiments.config import RunConfig
from experiments.run_predict import run_predict
from experiments.runtime import UserError
from experiments.saved_run import restore_run, restore_screening
from experiments.screening.config import ScreeningConfig
from experiments.screening.run_predict import run_predict as run_screening
from imo_jax.models.imo import sample
from imo_jax.predictor import NotRead

RUNS = pathlib.Path(__file__).resolve().parents[1] / "run_folders"
IDENTITIES = (b"Roe^", b"^Jane", b"HOSPITAL-4711", b"19500102", b"ACC0815", b"Quincy", b"Elsewhere")
NAMES = ["a", "b", "cut", "d"]


@pytest.fixture(scope="module")
def run():
    return restore_run(str(RUNS / "imo"), {"eval_batch_size": 2}, "best", RunConfig)


@pytest.fixture(scope="module")
def eyes(tmp_path_factory):
    """A folder of three photographs and one that is truncated, and their volumes."""
    root = tmp_path_factory.mktemp("eyes")
    (root / "images").mkdir()
    (root / "oct").mkdir()
    for name in NAMES:
        shutil.copy(RUNS / "eye.jpg", root / "images" / f"{name}.jpg")
        shutil.copy(RUNS / "eye.npy", root / "oct" / f"{name}.npy")
    cut = (root / "images" / "cut.jpg").read_bytes()
    (root / "images" / "cut.jpg").write_bytes(cut[: len(cut) // 2])
    (root / "images" / "Thumbs.db").write_bytes(b"no picture")
    (root / "oct" / "d.npy").unlink()
    return root


def predict(run, eyes, out, **changes):
    given = {"fundus": str(eyes / "images"), "volume": str(eyes / "oct"), "manifest": None}
    return run_predict(run, **{**given, **changes}, out=str(out))


@pytest.fixture(scope="module")
def done(run, eyes, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return predict(run, eyes, out), out


def test_one_bad_file_does_not_stop_the_rest(done, eyes):
    found, out = done
    assert [said["id"] for said in found.said] == ["a", "b", "d"] and found.exit_code == 1
    (failed,) = found.failed
    assert failed.id == "cut" and "truncated" in failed.reason
    assert sorted(file.stem for file in out.glob("*.json")) == ["a", "b", "d"]
    assert "1 of 4 failed:\n  cut: " in found.failures()


def test_the_table_says_what_the_files_say(done, eyes):
    found, out = done
    table = pd.read_csv(out / "predictions.csv").set_index("id")
    assert list(table.index) == NAMES and list(table["file"]) == [
        str(eyes / "images" / f"{name}.jpg") for name in NAMES
    ]
    assert table["oct"].isna().to_dict() == {"a": False, "b": False, "cut": False, "d": True}
    for said in found.said:
        row = table.loc[said["id"]]
        assert row["grade"] == said["grade"]
        for name, probability in said["grade_probabilities"].items():
            assert row[f"probability_{name.replace('/', '_')}"] == pytest.approx(probability)
        assert row["vertical_cdr"] == pytest.approx(said["vertical_cdr"]["value"])
        for name in ("horizontal_cdr", "area_cdr", "disc_area_px", "cup_area_px"):
            assert row[name] == pytest.approx(said["disc"][name])
        for name, width in said["disc"]["rim_width"].items():
            assert row[f"rim_{name}"] == pytest.approx(width)
        assert pd.isna(row["error"])
    assert "truncated" in table.loc["cut", "error"]
    assert table.loc["cut"].drop(["file", "oct", "error"]).isna().all()


def test_eyes_of_a_folder_are_predicted_as_each_alone(run, done, eyes, tmp_path):
    photograph, volume = str(eyes / "images" / "b.jpg"), str(eyes / "oct" / "b.npy")
    alone = predict(run, eyes, tmp_path, fundus=photograph, volume=volume)
    (one,), (_, other, _) = alone.said, done[0].said
    assert one["id"] == other["id"] and one["grade"] == other["grade"]
    # Batches of one and of several may differ in the last bit.
    assert one["grade_probabilities"] == pytest.approx(other["grade_probabilities"], abs=1e-6)
    assert one["vertical_cdr"]["value"] == pytest.approx(other["vertical_cdr"]["value"], abs=1e-4)
    assert not (tmp_path / "predictions.csv").exists()


def test_more_eyes_compile_nothing_anew(run, done, eyes, tmp_path):
    compiled = sample._predict._cache_size()
    predict(run, eyes, tmp_path, fundus=str(eyes / "images" / "[ab]*"))
    assert sample._predict._cache_size() == compiled


def test_an_only_file_that_is_bad_is_an_error(run, eyes, tmp_path):
    with pytest.raises(UserError, match="cut.jpg.*truncated"):
        predict(run, eyes, tmp_path, fundus=str(eyes / "images" / "cut.jpg"), volume=None)


def test_files_that_are_all_bad_leave_a_table(run, eyes, tmp_path):
    found = predict(run, eyes, tmp_path, fundus=str(eyes / "images" / "c*"), volume=None)
    assert not found.said and found.exit_code == 1
    table = pd.read_csv(tmp_path / "predictions.csv")
    assert list(table.columns) == ["id", "file", "oct", "error"] and len(table) == 1


def test_what_was_predicted_before_an_interrupt_is_in_the_table(tmp_path):
    def interrupted():
        yield NotRead("a", "a.jpg: is empty")
        raise KeyboardInterrupt

    files = [{"file": "a.jpg"}, {"file": "b.jpg"}]
    with pytest.raises(KeyboardInterrupt):
        predicting.keep_all(interrupted(), files, tmp_path, dict, many=True)
    assert "is empty" in (tmp_path / "predictions.csv").read_text()


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_is_drawn_on_a_terminal_only(monkeypatch, tmp_path, terminal):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", stream)
    results = iter([NotRead("a", "why")])
    predicting.keep_all(results, [{"file": "a"}], tmp_path, dict, many=True)
    assert ("1/1" in stream.getvalue()) == terminal


def test_millimetres_come_from_the_flag_the_manifest_or_the_file(
    run, eyes, tmp_path, write_dicom_photograph
):
    pixels = np.asarray(Image.open(RUNS / "eye.jpg"))
    (tmp_path / "eyes").mkdir()
    for name, spacing in (("told", [0.02, 0.02]), ("untold", None)):
        write_dicom_photograph(
            tmp_path / "eyes" / f"{name}.dcm", pixels, PixelSpacing=spacing
        )
    (tmp_path / "eyes" / "manifest.csv").write_text(
        "id,patient,split,fundus,oct,mask,grade,mm_per_pixel\n"
        "row,1,,told.dcm,,,,0.03\nfile,2,,told.dcm,,,,\nflag,3,,untold.dcm,,,,\n"
    )

    def spacings(out, **given):
        found = predict(run, eyes, tmp_path / out, volume=None, **given)
        table = pd.read_csv(tmp_path / out / "predictions.csv").set_index("id")
        for said in found.said:
            disc, row = said["disc"], table.loc[said["id"]]
            mm = disc["mm_per_pixel"]
            assert (mm is None) == pd.isna(row["mm_per_pixel"])
            if mm is not None:
                assert row["disc_area_mm2"] == pytest.approx(disc["disc_area_px"] * mm**2)
                assert row["cup_area_mm2"] == pytest.approx(disc["cup_area_px"] * mm**2)
                # The files are of a right eye, whose temple is on the left of the photograph.
                assert row["rim_temporal_mm"] == pytest.approx(disc["rim_width_mm"]["temporal"])
                assert pd.isna(row["rim_left_mm"])
        return table["mm_per_pixel"].fillna(0).to_dict(), found

    folder = str(tmp_path / "eyes")
    assert spacings("a", fundus=folder)[0] == {"told": 0.02, "untold": 0}
    assert spacings("b", fundus=folder, mm_per_pixel=0.04)[0] == {"told": 0.04, "untold": 0.04}
    manifest = {"fundus": None, "manifest": f"{folder}/manifest.csv"}
    told, found = spacings("c", **manifest)
    assert told == {"row": 0.03, "file": 0.02, "flag": 0}
    assert spacings("d", **manifest, mm_per_pixel=0.04)[0]["row"] == 0.03
    # A disc of some 116 rows: 3.5 mm at 0.03 mm, and 2.3 mm at 0.02 mm.
    assert "3.48 mm high" in found.said[0]["warnings"][-1] and not found.said[1]["warnings"]


def test_the_side_comes_from_the_flag_the_manifest_or_the_file(
    run, eyes, tmp_path, write_dicom_photograph
):
    pixels = np.asarray(Image.open(RUNS / "eye.jpg"))
    write_dicom_photograph(tmp_path / "left.dcm", pixels, ImageLaterality="L")
    write_dicom_photograph(tmp_path / "none.dcm", pixels, ImageLaterality=None)
    (tmp_path / "manifest.csv").write_text(
        "id,patient,split,fundus,oct,mask,grade,eye\n"
        "row,1,,left.dcm,,,,OD\nfile,2,,left.dcm,,,,\nflag,3,,none.dcm,,,,\n"
    )
    manifest = {"fundus": None, "volume": None, "manifest": f"{tmp_path}/manifest.csv"}
    known = predict(run, eyes, tmp_path / "a", **manifest)
    assert [said["eye"] for said in known.said] == ["OD", "OS", None]
    right, left, none = (said["disc"]["rim_width"] for said in known.said)
    assert right["nasal"] == left["temporal"] == none["right"]
    assert right["temporal"] == left["nasal"] == none["left"]
    told = predict(run, eyes, tmp_path / "b", **manifest, eye="OD")
    assert [said["eye"] for said in told.said] == ["OD", "OD", "OD"]
    table = pd.read_csv(tmp_path / "a" / "predictions.csv").set_index("id")
    assert table.loc["row", "rim_nasal"] == pytest.approx(right["nasal"])
    assert str(table.loc["row", "isnt"]) in ("True", "False") and pd.isna(table.loc["flag", "isnt"])


def test_nothing_that_names_a_person_is_written_or_said(
    run, eyes, tmp_path, write_dicom_photograph, capfd
):
    pixels = np.asarray(Image.open(RUNS / "eye.jpg"))
    (tmp_path / "eyes").mkdir()
    write_dicom_photograph(tmp_path / "eyes" / "a.dcm", pixels, PixelSpacing=[0.02, 0.02])
    path = write_dicom_photograph(tmp_path / "eyes" / "b.dcm", pixels)
    path.write_bytes(path.read_bytes()[:1500])
    out = tmp_path / "out"
    found = predict(run, eyes, out, fundus=str(tmp_path / "eyes"), volume=None)
    assert len(found.said) == len(found.failed) == 1
    said = "".join(capfd.readouterr()).encode()
    written = [file.read_bytes() for file in out.iterdir()]
    assert len(written) == 5
    for name in IDENTITIES:
        assert not any(name in content for content in [said, *written]), name


def test_volumes_of_a_folder(tmp_path):
    (tmp_path / "oct").mkdir()
    for name in ("v2", "v10"):
        shutil.copy(RUNS / "eye.npy", tmp_path / "oct" / f"{name}.npy")
    np.save(tmp_path / "oct" / "flat.npy", np.full((3, 8, 8), 7, np.uint8))
    run = restore_screening(RUNS / "semt", {}, "best", ScreeningConfig)
    out = tmp_path / "out"
    found = run_screening(
        run, volume=str(tmp_path / "oct"), eye="OD", manifest=None, out=str(out)
    )
    assert [said["id"] for said in found.said] == ["v2", "v10"] and found.exit_code == 1
    table = pd.read_csv(out / "predictions.csv").set_index("id")
    assert list(table.index) == ["flat", "v2", "v10"] and "constant" in table.loc["flat", "error"]
    said = found.said[0]
    assert table.loc["v2", "glaucoma_probability"] == pytest.approx(said["glaucoma_probability"])
    assert table.loc["v2", "md"] == pytest.approx(said["visual_field"]["md"]["value"], abs=1e-3)
    assert table.loc["v2", "b_scans"] == said["b_scans"]

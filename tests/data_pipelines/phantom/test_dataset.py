"""The data set on disk: contracts, determinism, all or nothing."""

import csv
import filecmp
import inspect
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from data_pipelines.load import ScreeningArrayStore
from data_pipelines.manifest import check_screening_manifest, errors, read_screening_manifest
from data_pipelines.phantom import dataset, make_phantom, tables
from data_pipelines.phantom.__main__ import main
from data_pipelines.phantom.eye import eyes_of

HIDDEN_FRACTION = inspect.signature(make_phantom).parameters["hidden_fraction"].default


def rows_of(path: pathlib.Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("phantom") / "made"
    return make_phantom(root, eyes=6, seed=2, workers=1)


def test_layout_and_columns(made):
    rows = rows_of(made / "manifest.csv")
    assert tuple(rows[0]) == ("id", "patient", "split", "fundus", "oct", "mask", "grade")
    assert len(rows) == 6
    for row in rows:
        fundus, mask = Image.open(made / row["fundus"]), Image.open(made / row["mask"])
        assert fundus.size == mask.size == (512, 512) and fundus.format == "JPEG"
        assert set(np.unique(np.asarray(mask))) == {0, 1, 2}
        volume = np.load(made / row["oct"], allow_pickle=False)
        assert volume.shape == (32, 128, 128) and volume.dtype == np.uint8
        assert row["grade"] in "012"
    screening = rows_of(made / "screening.csv")
    assert tuple(screening[0]) == (
        "id", "patient", "eye", "visit", "split", "oct", "glaucoma", "vfi", "md", "psd",
    )  # fmt: skip
    assert [r["split"] for r in screening] == [r["split"] for r in rows]
    assert [r["glaucoma"] for r in screening] == [str(int(r["grade"] != "0")) for r in rows]


def test_truth_is_that_of_the_eyes(made):
    rows, screening = rows_of(made / "truth.csv"), rows_of(made / "screening.csv")
    for eye, row, seen in zip(eyes_of(2, 6), rows, screening, strict=True):
        assert row["id"] == eye.id and int(row["grade"]) == eye.grade
        np.testing.assert_allclose(float(row["vcdr"]), eye.first.shape.vcdr, rtol=1e-5)
        np.testing.assert_allclose(float(row["rnfl_mean"]), eye.first.shape.rnfl_mean, rtol=1e-5)
        assert seen["md"] in ("", f"{eye.first.field.md:.2f}")


def test_the_same_bytes_whatever_the_workers(made, tmp_path):
    again = make_phantom(tmp_path / "again", eyes=6, seed=2, workers=2)
    files = sorted(str(p.relative_to(made)) for p in made.rglob("*") if p.is_file())
    assert files == sorted(str(p.relative_to(again)) for p in again.rglob("*") if p.is_file())
    assert len(files) == 3 * 6 + 4
    _, different, errors = filecmp.cmpfiles(made, again, files, shallow=False)
    assert not different and not errors


def test_an_eye_does_not_depend_on_how_many_there_are(made, tmp_path):
    fewer = make_phantom(tmp_path / "fewer", eyes=2, seed=2, workers=1)
    for path in [p for p in fewer.rglob("*.*") if p.parent != fewer]:
        assert path.read_bytes() == (made / path.relative_to(fewer)).read_bytes()


def test_another_seed_gives_other_eyes(made, tmp_path):
    other = make_phantom(tmp_path / "other", eyes=1, seed=3, workers=1)
    volume = next((other / "oct").iterdir())
    assert all(volume.read_bytes() != p.read_bytes() for p in (made / "oct").iterdir())


def test_made_again_it_is_left_alone(made):
    before = {p: p.stat().st_mtime_ns for p in made.rglob("*")}
    make_phantom(made, eyes=6, seed=2, workers=2)
    assert before == {p: p.stat().st_mtime_ns for p in made.rglob("*")}


def test_a_different_phantom_is_an_error(made):
    with pytest.raises(FileExistsError, match="seed: 2 there, 3 asked"):
        make_phantom(made, eyes=6, seed=3)


def test_a_foreign_folder_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("keep me")
    with pytest.raises(FileExistsError, match="no phantom"):
        make_phantom(tmp_path, eyes=1)
    assert (tmp_path / "notes.txt").read_text() == "keep me"


def test_nothing_is_left_of_a_failure(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(dataset, "write_eye", fail)
    with pytest.raises(OSError, match="disk full"):
        make_phantom(tmp_path / "out", eyes=2, workers=1)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_making_that_is_ended(tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "data_pipelines.phantom", "--eyes=500", f"--out={out}"]
    making = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(tmp_path.glob(".out.partial-*/fundus/*")):
        assert making.poll() is None
        time.sleep(0.05)
    making.terminate()
    assert making.wait(timeout=30) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", [2, 3])
def test_of_two_processes_one_makes_it(made, tmp_path, monkeypatch, seed):
    def write_and_be_late(*_):  # the other one, with the seed of `made`, is done meanwhile
        shutil.copytree(made, tmp_path / "out")

    monkeypatch.setattr(dataset, "_write_images", write_and_be_late)
    if seed == 2:
        make_phantom(tmp_path / "out", eyes=6, seed=seed)
    else:
        with pytest.raises(FileExistsError, match="seed: 2 there, 3 asked"):
            make_phantom(tmp_path / "out", eyes=6, seed=seed)
    assert [found.name for found in tmp_path.iterdir()] == ["out"]
    assert not filecmp.dircmp(made, tmp_path / "out").diff_files


def test_a_failed_worker_tells_why(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset.sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="worker failed"):
        make_phantom(tmp_path / "out", eyes=2, workers=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "bad", [{"eyes": 0}, {"visits": 0}, {"hidden_fraction": 1.0}, {"test_fraction": 1.2}]
)
def test_impossible_arguments(tmp_path, bad):
    with pytest.raises(ValueError):
        make_phantom(tmp_path / "out", **{"eyes": 2, **bad})
    assert list(tmp_path.iterdir()) == []


def test_record(made):
    record = json.loads((made / "phantom.json").read_text())
    assert (record["seed"], record["eyes"], record["version"]) == (2, 6, dataset.VERSION)


def test_a_phantom_is_told_by_its_manifest(made, tmp_path):
    assert dataset.is_phantom(made / "manifest.csv") and dataset.is_phantom(str(made / "screening.csv"))
    assert not dataset.is_phantom(tmp_path / "manifest.csv")


def test_patients_are_not_split_and_grades_are_spread():
    eyes = eyes_of(0, 240)
    split = tables.split_eyes(eyes, 0, val_fraction=0.1, test_fraction=0.3)
    by_patient: dict[str, set[str]] = {}
    for eye in eyes:
        by_patient.setdefault(eye.patient_id, set()).add(split[eye.id])
    assert all(len(names) == 1 for names in by_patient.values())
    counts = {n: sum(s == n for s in split.values()) for n in ("train", "val", "test")}
    assert counts["test"] >= 60 and counts["val"] >= 15
    shares = [np.mean([e.grade == 0 for e in eyes if split[e.id] == n]) for n in counts]
    assert max(shares) - min(shares) < 0.15


def test_fields_are_hidden_by_visit_in_training_only():
    eyes = eyes_of(0, 200)
    split = tables.split_eyes(eyes, 0, 0.1, 0.3)
    hidden = tables.hidden_visits(eyes, split, 0, visits=2, fraction=0.316)
    train = 2 * sum(s == "train" for s in split.values())
    assert abs(len(hidden) / train - 0.316) < 0.01
    assert all(split[eye] == "train" for eye, _ in hidden)
    glaucoma = {eye.id: eye.latents.glaucoma for eye in eyes}
    assert 0.3 < np.mean([glaucoma[eye] for eye, _ in hidden]) < 0.7


def test_a_hidden_visit_has_no_twin_with_a_field(tmp_path):
    """The default share is hidden in both classes, and no volume of a hidden visit tells it."""
    eyes = eyes_of(0, 200)
    split = tables.split_eyes(eyes, 0, 0.1, 0.3)
    hidden = tables.hidden_visits(eyes, split, 0, visits=2, fraction=HIDDEN_FRACTION)
    tables.write_screening(tmp_path, eyes, split, hidden, visits=2, volumes_per_visit=3)
    rows = rows_of(tmp_path / "screening.csv")
    assert len(rows) == 200 * 2 * 3
    fields: dict[tuple[str, str, str], set[tuple[str, str, str]]] = {}
    for row in rows:
        key = (row["patient"], row["eye"], row["visit"])
        fields.setdefault(key, set()).add((row["vfi"], row["md"], row["psd"]))
    assert all(len(values) == 1 for values in fields.values())
    for glaucoma in "01":
        train = [r for r in rows if r["split"] == "train" and r["glaucoma"] == glaucoma]
        assert abs(np.mean([r["md"] == "" for r in train]) - 0.316) < 0.01
    assert all(r["md"] for r in rows if r["split"] != "train")


def test_the_default_hides_as_much_as_the_paper():
    assert HIDDEN_FRACTION == 0.316  # 916 of 2,895 volumes of the training set


def test_visits_and_volumes(tmp_path):
    root = make_phantom(
        tmp_path / "visits", eyes=3, seed=1, workers=1, visits=2, volumes_per_visit=2,
        hidden_fraction=0.5, val_fraction=0.0, test_fraction=0.0,
    )  # fmt: skip
    rows = rows_of(root / "screening.csv")
    assert len(rows) == 12 and len({r["id"] for r in rows}) == 12
    assert len(list((root / "oct").iterdir())) == 12
    by_visit: dict[tuple[str, str, str], set[tuple[str, str, str]]] = {}
    for row in rows:
        key = (row["patient"], row["eye"], row["visit"])
        by_visit.setdefault(key, set()).add((row["vfi"], row["md"], row["psd"]))
    # Twin volumes share one field, shown or hidden together.
    assert all(len(fields) == 1 for fields in by_visit.values())
    assert 0 < sum(f == {("", "", "")} for f in by_visit.values()) < len(by_visit)


def test_screening_passes_its_own_check_and_loads(tmp_path):
    root = make_phantom(tmp_path / "p", eyes=4, seed=1, workers=1, volumes_per_visit=2,
                        val_fraction=0.0, test_fraction=0.0)  # fmt: skip
    assert not errors(check_screening_manifest(root / "screening.csv", surrogates=False))
    manifest = read_screening_manifest(root / "screening.csv")
    store = ScreeningArrayStore.from_manifest(manifest, scan_size=64)
    assert store.num_scans("train").tolist() == [32] * 8
    for i in range(8):
        scans = store.scans("train", i).astype(float)
        assert scans.std() > 20  # Layers, not a flat grey.
        # Twins are two scans of one eye: alike, but not the same.
        assert not np.array_equal(scans, store.scans("train", i ^ 1))


def test_command(tmp_path, capsys):
    main([f"--out={tmp_path / 'cli'}", "--eyes=1", "--workers=1"])
    assert (tmp_path / "cli" / "manifest.csv").is_file()
    with pytest.raises(SystemExit):
        main([])
    assert "nothing to do" in capsys.readouterr().err

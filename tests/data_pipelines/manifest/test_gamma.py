"""The GAMMA maker on small trees in the official layout."""

import json
import os

import numpy as np
import openpyxl
import pytest
from PIL import Image

from data_pipelines.builders import multimodal
from data_pipelines.images import read_mask
from data_pipelines.load.examples import read_record
from data_pipelines.manifest import ManifestError, check_manifest, errors, read_manifest
from data_pipelines.manifest.__main__ import main
from data_pipelines.manifest.makers.gamma import find_gamma
from data_pipelines.volumes import read_volume

COUNT = 12
GRADING = "Glaucoma_grading/training"
SEGMENTATION = "Disc_Cup_Segmentation/training"
SHEET = f"{GRADING}/glaucoma_grading_training_GT.xlsx"


def photograph(number):
    rng = np.random.default_rng(number)
    return Image.fromarray(rng.integers(0, 256, (40, 60, 3), np.uint8))


def coded_mask(number):
    """255 background, 128 rim, 0 cup; the cup grows with the number."""
    mask = np.full((40, 60), 255, np.uint8)
    mask[10:30, 20:40] = 128
    mask[14 : 16 + number, 24:34] = 0
    return mask


def write_sheet(path, rows, header=("data", "non", "early", "mid_advanced")):
    book = openpyxl.Workbook()
    for row in (header, *rows):
        book.active.append(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)


def one_hot(number):
    return [int(number % 3 == grade) for grade in range(3)]


def write_grading(root, numbers, part="training", slices=12):
    images = root / f"Glaucoma_grading/{part}/multi-modality_images"
    for number in numbers:
        name = f"{number:04d}"
        (images / name / name).mkdir(parents=True)
        photograph(number).save(images / name / f"{name}.jpg")
        for index in range(slices):  # Unpadded, so that text order is not slice order.
            level = np.full((8, 8), 10 * index, np.uint8)
            Image.fromarray(level).save(images / name / name / f"{index}_image.jpg")


def write_segmentation(root, numbers):
    for number in numbers:
        for folder in ("fundus color images", "Disc_Cup_Mask"):
            (root / SEGMENTATION / folder).mkdir(parents=True, exist_ok=True)
        name = f"{number:04d}"
        photograph(number).save(root / SEGMENTATION / f"fundus color images/{name}.jpg")
        Image.fromarray(coded_mask(number)).save(root / SEGMENTATION / f"Disc_Cup_Mask/{name}.png")


@pytest.fixture
def root(tmp_path):
    """Both tasks of twelve eyes."""
    root = tmp_path / "GAMMA"
    numbers = range(1, COUNT + 1)
    write_grading(root, numbers)
    write_segmentation(root, numbers)
    write_sheet(root / SHEET, [[number, *one_hot(number)] for number in numbers])
    return root


def listing(folder):
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in sorted(folder.rglob("*"))}


def make(root, out, *options):
    return main(["--layout=gamma", f"--root={root}", f"--out={out}", *options])


def test_official_folders(root, tmp_path, capsys):
    before = listing(root)
    assert make(root, tmp_path / "out", "--seed=5") == 0
    assert listing(root) == before
    told = capsys.readouterr().out
    assert "no patient ids" in told
    assert "macular" in told
    manifest = read_manifest(tmp_path / "out/manifest.csv")
    assert [eye.id for eye in manifest.eyes] == [f"{n:04d}" for n in range(1, COUNT + 1)]
    eye = manifest.eyes[4]
    images = root / GRADING / "multi-modality_images/0005"
    assert (eye.patient, eye.grade) == ("0005", 5 % 3)
    assert eye.fundus == images / "0005.jpg"
    assert eye.oct == images / "0005"
    # The B-scans are in numeric order: 10 x index.
    assert read_volume(eye.oct)[:, 0, 0].tolist() == [10 * i for i in range(12)]
    stored = coded_mask(5)
    expected = 1 * (stored == 128) + 2 * (stored == 0)
    assert (read_mask(eye.mask) == expected).all()
    assert not errors(check_manifest(manifest.path, need=("train", "eval")))


def test_splits_are_stratified_and_recorded(root, tmp_path):
    assert make(root, tmp_path / "a", "--val_fraction=0.25", "--test_fraction=0.25") == 0
    manifest = read_manifest(tmp_path / "a/manifest.csv")
    for name, count in (("train", 6), ("val", 3), ("test", 3)):
        eyes = manifest.split(name)
        assert len(eyes) == count
        assert {grade: sum(e.grade == grade for e in eyes) for grade in (0, 1, 2)} == dict.fromkeys(
            (0, 1, 2), count // 3
        )
    record = json.loads((tmp_path / "a/manifest.json").read_text())
    assert record["data_root"] == str(root)
    assert (record["layout"], record["seed"], record["val_fraction"]) == ("gamma", 0, 0.25)
    assert any("no patient ids" in note for note in record["notes"])
    make(root, tmp_path / "b", "--val_fraction=0.25", "--test_fraction=0.25")
    make(root, tmp_path / "c", "--val_fraction=0.25", "--test_fraction=0.25", "--seed=1")
    texts = [(tmp_path / f"{name}/manifest.csv").read_text() for name in "abc"]
    assert texts[0] == texts[1] != texts[2]


def test_folds_test_every_eye_once(root, tmp_path):
    assert make(root, tmp_path / "out", "--folds=4", "--val_fraction=0.34") == 0
    tested = []
    for fold in range(4):
        manifest = read_manifest(tmp_path / f"out/manifest_fold{fold}.csv")
        tested += [eye.id for eye in manifest.split("test")]
        assert sorted(e.grade for e in manifest.split("test")) == [0, 1, 2]
        assert len(manifest.split("val")) == 3
        record = json.loads((tmp_path / f"out/manifest_fold{fold}.json").read_text())
        assert (record["fold"], record["folds"]) == (fold, 4)
    assert sorted(tested) == [f"{n:04d}" for n in range(1, COUNT + 1)]
    assert not (tmp_path / "out/manifest.csv").exists()


def test_five_folds_prepare_a_hundred_eyes_once(tmp_path, monkeypatch):
    root, cache = tmp_path / "GAMMA", tmp_path / "cache"
    numbers = range(1, 101)
    write_grading(root, numbers, slices=2)
    write_segmentation(root, numbers)
    write_sheet(root / SHEET, [[n, *one_hot(n)] for n in numbers])
    assert make(root, tmp_path / "out", "--folds=5") == 0
    read = []

    def count(eye, *args):
        read.append(eye.id)
        return read_record(eye, *args)

    monkeypatch.setattr(multimodal, "read_record", count)
    tested = []
    for fold in range(5):
        manifest = read_manifest(tmp_path / f"out/manifest_fold{fold}.csv")
        store = multimodal.prepare(manifest, cache, 16, (4, 4, 2))
        assert sum(store.num(split) for split in store.splits) == 100
        tested += store.ids("test")
        assert len(read) == 100  # all in the first fold, none in the others
    assert sorted(read) == sorted(tested) == [f"{n:04d}" for n in numbers]


def test_root_may_be_deeper_or_shallower(root, tmp_path):
    def found(path):
        return [(e.id, e.grade, e.mask is not None) for e in find_gamma(path).eyes]

    whole = found(root)
    assert len(whole) == COUNT
    assert found(root.parent) == whole
    inner = tmp_path / "unzipped" / "task1" / "GAMMA_v2"
    inner.parent.mkdir(parents=True)
    os.rename(root, inner)
    assert found(tmp_path / "unzipped") == whole
    grades_only = [(name, grade, False) for name, grade, _ in whole]
    assert found(inner / "Glaucoma_grading") == grades_only
    assert found(inner / GRADING) == grades_only
    images_only = [(name, None, False) for name, _, _ in whole]
    assert found(inner / GRADING / "multi-modality_images") == images_only
    masks_only = [(name, None, True) for name, _, _ in whole]
    assert found(inner / SEGMENTATION) == masks_only


def test_segmentation_task_alone(tmp_path):
    write_segmentation(tmp_path / "g", range(1, 7))
    os.rename(tmp_path / "g/Disc_Cup_Segmentation", tmp_path / "g/task3_disc_cup_segmentation")
    assert make(tmp_path / "g", tmp_path / "out") == 0
    eyes = read_manifest(tmp_path / "out/manifest.csv").eyes
    assert len(eyes) == 6
    assert {(eye.oct, eye.grade) for eye in eyes} == {(None, None)}
    assert {eye.split for eye in eyes} == {"train", "val", "test"}


def test_ids_in_the_sheet_may_be_text_or_floats(tmp_path):
    write_grading(tmp_path / "g", range(1, 4), slices=2)
    rows = [["0001", "1", "0", "0"], [2.0, 0.0, 1.0, 0.0], [None] * 4, ["3", 0, 0, 1]]
    write_sheet(tmp_path / "g" / SHEET, rows)
    found = find_gamma(tmp_path / "g")
    assert not found.problems
    assert [eye.grade for eye in found.eyes] == [0, 1, 2]


def test_testing_folders_only_if_asked(root, tmp_path):
    write_grading(root, [3, 101, 102], part="testing", slices=2)
    make(root, tmp_path / "without")
    assert len(read_manifest(tmp_path / "without/manifest.csv").eyes) == COUNT
    make(root, tmp_path / "with", "--include_unlabelled")
    added = read_manifest(tmp_path / "with/manifest.csv").split("")
    # Number 3 is another eye than the third of training.
    assert [eye.id for eye in added] == ["testing-0003", "0101", "0102"]
    assert {(eye.mask, eye.grade) for eye in added} == {(None, None)}


def test_fovea_task_is_left_alone(root):
    folder = root / "Fovea_localization/training/fundus color images"
    folder.mkdir(parents=True)
    photograph(99).save(folder / "0099.jpg")
    write_sheet(
        folder.parent / "fovea_localization_training_GT.xlsx", [[99, 1, 2]], ("data", "x", "y")
    )
    found = find_gamma(root)
    assert not found.problems
    assert len(found.eyes) == COUNT


def test_all_problems_are_listed_and_nothing_is_written(root, tmp_path, capsys):
    masks = root / SEGMENTATION / "Disc_Cup_Mask"
    wrong = coded_mask(1)
    wrong[0, :3] = 127
    Image.fromarray(wrong).save(masks / "0001.png")
    Image.fromarray(coded_mask(2)[:-1]).save(masks / "0002.png")
    Image.fromarray(coded_mask(9)).save(masks / "0055.png")
    (masks / "0003.png").write_bytes(b"\x89PNG")
    rows = [[number, *one_hot(number)] for number in range(1, COUNT + 1)]
    rows[3] = [4, 1, 1, 0]
    rows[4] = [5, 0, 0, 0]
    rows[5] = [6, 0, None, 1]
    rows += [[77, 1, 0, 0], [7, 1, 0, 0], ["eye", 1, 0, 0]]
    write_sheet(root / SHEET, rows)
    assert make(root, tmp_path / "out") == 1
    told = capsys.readouterr().err
    for words in (
        "0001.png: holds values that are not among its codes 0, 128, 255: 127 (3 pixels)",
        "0002.png: has 60 x 39 pixels",
        "0055.png: is a mask without a photograph",
        "0003.png",
        "line 5",
        "non, early, mid_advanced are 1, 1, 0",
        "non, early, mid_advanced are 0, 0, 0",
        "non, early, mid_advanced are 0, empty, 1",
        "eye 0077 has no photograph",
        "eye 0007 is already in row 8",
        "data 'eye' is not the number of an eye",
    ):
        assert words in told, (words, told)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not a workbook", b"PK\x03\x04"])
def test_damaged_sheet(root, tmp_path, content):
    (root / SHEET).write_bytes(content)
    with pytest.raises(ManifestError, match="Excel workbook"):
        _make_directly(root, tmp_path)


def test_sheet_with_other_columns(root, tmp_path):
    write_sheet(root / SHEET, [[1, 0]], header=("id", "grade"))
    with pytest.raises(ManifestError, match="data, non, early, mid_advanced"):
        _make_directly(root, tmp_path)


def _make_directly(root, tmp_path):
    from data_pipelines.manifest.makers.make import make_manifests
    from data_pipelines.manifest.makers.plan import SplitPlan

    make_manifests("gamma", find_gamma(root), root, tmp_path / "out", SplitPlan())


def test_tasks_that_disagree_about_an_eye_are_told(root):
    photograph(50).save(root / SEGMENTATION / "fundus color images/0002.jpg")
    (problem,) = find_gamma(root).problems
    assert problem.severity == "warning"
    assert "0002.jpg" in str(problem)
    assert "same eye in both tasks" in problem.reason


def test_missing_parts_are_told(root, tmp_path, capsys):
    images = root / GRADING / "multi-modality_images"
    (images / "0001/0001.jpg").unlink()
    assert any("has no photograph 0001.jpg" in str(p) for p in find_gamma(root).problems)
    (root / SHEET).unlink()
    assert any("no eye gets a grade" in str(p) for p in find_gamma(root).problems)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert make(empty, tmp_path / "out") == 1
    assert "no GAMMA training data found" in capsys.readouterr().err

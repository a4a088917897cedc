"""Manifests written and read again; where files are looked for; what a run needs."""

import json

import numpy as np
import pytest
from PIL import Image

from data_pipelines.manifest import (
    Eye,
    ManifestError,
    check_manifest,
    errors,
    read_manifest,
    write_manifest,
)


def reasons(problems):
    return " | ".join(map(str, problems))


def test_read_gives_what_the_rows_say(data_set):
    data_set.rows[1] |= {"oct": "", "mask": "", "grade": "", "split": ""}
    manifest = read_manifest(data_set.write())
    assert manifest.root == data_set.folder
    assert manifest.eyes[0] == Eye(
        id="e1",
        patient="p1",
        split="train",
        fundus=data_set.folder / "e1.png",
        oct=data_set.folder / "e1.npy",
        mask=data_set.folder / "e1_mask.png",
        grade=0,
    )
    second = manifest.eyes[1]
    assert (second.oct, second.mask, second.grade, second.split) == (None, None, None, "")
    assert [eye.id for eye in manifest.split("train")] == ["e1", "e3"]
    assert [eye.id for eye in manifest.split("")] == ["e2"]
    with pytest.raises(ValueError, match="no split 'dev'"):
        manifest.split("dev")


def test_write_then_read_is_the_same(data_set, tmp_path):
    data_set.rows[1] |= {"oct": "", "mask": "", "grade": ""}
    eyes = read_manifest(data_set.write()).eyes
    again = data_set.folder / "again.csv"
    write_manifest(again, eyes)
    assert read_manifest(again).eyes == eyes
    assert again.read_text() == data_set.text()  # Relative paths, '/' between folders.


def test_data_root_is_given_or_recorded(data_set, tmp_path):
    eyes = read_manifest(data_set.write()).eyes
    elsewhere = tmp_path / "out" / "manifest.csv"
    with pytest.raises(ValueError, match="lies neither under"):
        write_manifest(elsewhere, eyes)
    assert not elsewhere.exists()
    write_manifest(elsewhere, eyes, data_root=data_set.folder, record={"seed": 3})
    assert read_manifest(elsewhere).eyes == eyes
    sidecar = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert sidecar == {"seed": 3, "data_root": str(data_set.folder)}
    # Given, it wins over the record; without either, nothing is found.
    (tmp_path / "out" / "manifest.json").unlink()
    assert read_manifest(elsewhere, data_root=data_set.folder).eyes == eyes
    with pytest.raises(ManifestError, match="does not exist under"):
        read_manifest(elsewhere)
    with pytest.raises(ManifestError, match="is no folder"):
        read_manifest(elsewhere, data_root=tmp_path / "gone")


def test_files_beside_the_manifest_come_first(data_set, tmp_path):
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "manifest.csv"
    data_set.write()
    path.write_text(data_set.text())
    ids = np.zeros((64, 64), np.uint8)
    Image.fromarray(ids).save(tmp_path / "out" / "e1_mask.png")
    eye = read_manifest(path, data_root=data_set.folder).eyes[0]
    assert eye.mask == tmp_path / "out" / "e1_mask.png"
    assert eye.fundus == data_set.folder / "e1.png"


@pytest.mark.parametrize("content", ["{", "[]", '{"data_root": 7}', '{"data_root": "/gone"}'])
def test_damaged_sidecar_is_told(data_set, content):
    data_set.write()
    (data_set.folder / "manifest.json").write_text(content)
    told = reasons(errors(check_manifest(data_set.path)))
    assert "manifest.json" in told


def test_rewriting_without_a_record_removes_the_old_one(data_set):
    eyes = read_manifest(data_set.write()).eyes
    write_manifest(data_set.path, eyes, record={"seed": 1})
    write_manifest(data_set.path, eyes)
    assert not (data_set.folder / "manifest.json").exists()


def test_needs_of_a_run(data_set):
    for row in data_set.rows:
        row["split"] = ""
    data_set.write()
    assert check_manifest(data_set.path) == []
    assert check_manifest(data_set.path, need=("predict",)) == []
    told = reasons(errors(check_manifest(data_set.path, need=("train",))))
    assert "no row has the split 'train'" in told
    assert "no row has the split 'val'" not in told
    assert "--val_fraction" in told
    assert "'test'" not in told
    told = reasons(errors(check_manifest(data_set.path, need=("eval",))))
    assert "no row has the split 'test'" in told
    with pytest.raises(ValueError, match="give a list of"):
        check_manifest(data_set.path, need="train")


def test_training_does_without_a_validation_split_and_says_so(data_set):
    for row in data_set.rows:
        row["split"] = row["split"].replace("val", "train")
    data_set.write()
    problems = check_manifest(data_set.path, need=("train", "eval"))
    assert not errors(problems)
    told = reasons(problems)
    assert "no row has the split 'val': no checkpoint can be chosen, the last counts" in told


def test_a_validation_split_without_labels_is_refused(data_set):
    for row in data_set.rows:
        if row["split"] == "val":
            row["mask"] = row["grade"] = ""
    data_set.write()
    told = reasons(errors(check_manifest(data_set.path, need=("train",))))
    assert "no eye in val has a mask or a grade" in told


def test_needs_labels_of_the_kind_that_is_used(data_set):
    for row in data_set.rows:
        row["mask"] = ""
    data_set.write()
    problems = check_manifest(data_set.path, need=("train", "eval"))
    assert not errors(problems)
    assert "no eye in train has a mask" in reasons(problems)
    assert not check_manifest(data_set.path, need=("train", "eval"), labels=("grade",))
    told = reasons(errors(check_manifest(data_set.path, need=("train", "eval"), labels=("mask",))))
    for split in ("train", "val", "test"):
        assert f"no eye in {split} has a mask" in told


def test_a_set_without_volumes_under_a_network_that_takes_them_is_a_warning(data_set):
    for row in data_set.rows:
        if row["split"] == "train":
            row["oct"] = ""
    data_set.write()
    assert check_manifest(data_set.path, need=("train", "eval")) == []
    (problem,) = check_manifest(data_set.path, need=("train", "eval"), sees_oct=True)
    assert problem.severity == "warning" and "no eye in train has an OCT volume" in problem.reason


def test_absent_grade_is_a_warning(data_set):
    data_set.rows[2]["grade"] = ""
    data_set.write()
    problems = check_manifest(data_set.path, need=("train",))
    assert "grade 2 (mid/advanced): it cannot be learned" in reasons(problems)
    assert not errors(problems)
    assert check_manifest(data_set.path, need=("train",), labels=("mask",)) == []

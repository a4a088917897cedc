"""Preparation through TFDS: the same examples as from arrays, made once, made anew on change."""

import dataclasses
import itertools
import os

import numpy as np
import pytest
from PIL import Image

from data_pipelines.builders import multimodal
from data_pipelines.load import ArrayStore, eval_batches, train_batches
from data_pipelines.manifest import read_manifest
from data_pipelines.squares import Square

GRID = (24, (5, 6, 4))


@pytest.fixture
def manifest(make_manifest):
    return make_manifest(train=7, val=3)


@pytest.fixture
def prepare(manifest, tmp_path):
    def run(manifest=manifest, image_size=GRID[0], oct_shape=GRID[1], **settings):
        return multimodal.prepare(manifest, tmp_path / "cache", image_size, oct_shape, **settings)

    return run


def assert_same_example(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert type(value) is type(other[name]), name
        np.testing.assert_array_equal(value, other[name], err_msg=name)


@pytest.mark.parametrize("oct_shape", [(5, 6, 4), None])
def test_equals_the_store_of_arrays(prepare, manifest, oct_shape):
    arrays = ArrayStore.from_manifest(manifest, 24, oct_shape)
    store = prepare(oct_shape=oct_shape)
    assert store.grid == arrays.grid and store.splits == arrays.splits == ("train", "val")
    for split in store.splits:
        assert store.ids(split) == arrays.ids(split)
        assert store.patients(split) == arrays.patients(split)
        for name in ("grades", "has_grade", "has_oct", "has_mask"):
            np.testing.assert_array_equal(getattr(store, name)(split), getattr(arrays, name)(split))
        for i in reversed(range(store.num(split))):
            assert_same_example(store.example(split, i), arrays.example(split, i))
            assert store.frame(split, i) == arrays.frame(split, i)
            masks = store.native_mask(split, i), arrays.native_mask(split, i)
            if masks[1] is None:
                assert masks[0] is None
            else:
                np.testing.assert_array_equal(*masks)


def test_batches_equal_those_of_arrays(prepare, manifest):
    def batches(store):
        iterator = train_batches(store, batch_size=4, seed=2, start_step=3)
        trained = list(itertools.islice(iterator, 4))
        iterator.close()
        return trained + list(eval_batches(store, "val", batch_size=2))

    arrays = ArrayStore.from_manifest(manifest, *GRID)
    assert (prepare().backend, arrays.backend) == ("tf.data", "threads")
    for one, other in zip(batches(prepare()), batches(arrays), strict=True):
        assert one["id"] == other["id"]
        for name in one.keys() - {"id"}:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def packs(tmp_path):
    return {path.name for path in (tmp_path / "cache").glob("*") if path.is_dir()}


def said(capfd):
    return [line.split(" in ")[0] for line in capfd.readouterr().err.splitlines()]


def test_prepared_once_with_one_line(prepare, manifest, tmp_path, monkeypatch, capfd):
    first = prepare()
    printed = capfd.readouterr()
    assert printed.out == ""
    assert [line.split(" in ")[0] for line in printed.err.splitlines()] == ["prepared eyes: 10/10"]
    before = packs(tmp_path)
    monkeypatch.setattr(multimodal, "read_record", None)  # would fail if it were called
    again = prepare(read_manifest(manifest.path))
    assert packs(tmp_path) == before and again.ids("val") == first.ids("val")


def brighten(manifest):
    path = manifest.eyes[0].fundus
    Image.fromarray(np.full((48, 48, 3), 250, np.uint8)).save(path)


def touch_volume(manifest):
    path = manifest.eyes[0].oct
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


@pytest.mark.parametrize("change", [brighten, touch_volume])
def test_of_a_changed_file_its_eye_is_prepared_anew(prepare, manifest, change, capfd):
    prepare()
    change(manifest)
    capfd.readouterr()
    after = prepare(read_manifest(manifest.path))
    assert said(capfd) == ["prepared eyes: 1/1"]
    if change is brighten:
        assert (after.example("train", 0)["fundus"] == 250).all()


def test_a_changed_label_prepares_nothing(prepare, manifest, capfd):
    before = prepare()
    text = manifest.path.read_text()
    manifest.path.write_text(text.replace("mask.png,0", "mask.png,2", 1))
    assert manifest.path.read_text() != text
    capfd.readouterr()
    after = prepare(read_manifest(manifest.path))
    assert said(capfd) == []
    assert (before.grades("train")[0], after.grades("train")[0]) == (0, 2)
    assert (before.example("train", 0)["grade"], after.example("train", 0)["grade"]) == (0, 2)


def test_folds_share_their_eyes(prepare, manifest, capfd):
    """Other splits, another order and fewer eyes prepare nothing."""
    prepare()
    capfd.readouterr()
    swapped = {"train": "val", "val": "test"}
    fold = [dataclasses.replace(eye, split=swapped[eye.split]) for eye in manifest.eyes[:0:-1]]
    store = prepare(dataclasses.replace(manifest, eyes=tuple(fold)))
    assert said(capfd) == [] and (store.num("val"), store.num("test")) == (6, 3)
    for split in ("val", "test"):
        for i, eye_id in enumerate(store.ids(split)):
            level = 20 + 5 * int(eye_id.removeprefix("eye"))
            example = store.example(split, i)
            assert example["id"] == eye_id and (example["fundus"] == level).all()


def test_an_eye_is_prepared_anew_on_another_square(prepare, manifest, capfd):
    prepare()
    capfd.readouterr()
    squares = {"eye0": Square(10, 12, 20), "eye2": Square(-4, 0, 30)}
    store = prepare(squares=squares)
    assert said(capfd) == ["prepared eyes: 2/2"]
    prepare(squares=squares)
    prepare()
    assert said(capfd) == []
    frame = store.frame("train", 0)
    assert (frame.top, frame.left, frame.height, frame.size) == (10, 12, 20, 24)
    assert store.frame("train", 1).height == 48
    assert (store.example("train", 2)["fundus"][:3] == 0).all()  # beyond the photograph


def test_each_setting_and_the_format_version_are_prepared_anew(prepare, tmp_path, monkeypatch):
    numbers = []
    for settings in (
        {},
        {"image_size": 25},
        {"oct_shape": (5, 6, 3)},
        {"oct_shape": None},
        {"crop_to_field": False},
    ):
        prepare(**settings)
        numbers.append(len(packs(tmp_path)))
    monkeypatch.setattr(multimodal, "FORMAT_VERSION", "2.0.1")
    prepare()
    assert [*numbers, len(packs(tmp_path))] == [1, 2, 3, 4, 5, 6]


def test_a_failed_preparation_leaves_nothing(prepare, manifest, tmp_path):
    path = manifest.split("val")[-1].fundus
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    with pytest.raises(ValueError, match=path.name):
        prepare()
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == [".lock"]
    path.write_bytes(whole)
    assert prepare().num("val") == 3


def test_eyes_without_a_split_can_be_asked_for(make_manifest, prepare):
    store = prepare(make_manifest(folder="loose", **{"": 3}), splits=("",))
    assert store.ids("") == ["eye0", "eye1", "eye2"]
    assert store.example("", 2)["id"] == "eye2"


def test_images_are_views_of_the_files(prepare):
    example = prepare().example("train", 2)
    for name in ("fundus", "mask", "oct"):
        base = example[name]
        while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
            base = base.base.obj if isinstance(base.base, memoryview) else base.base
        assert isinstance(base, np.memmap), name
        with pytest.raises(ValueError, match="read-only"):
            example[name][0] = 0


def test_several_files_a_pack_keep_the_order(prepare, tmp_path, monkeypatch):
    tfds = multimodal.tfds
    download_config = tfds.download.DownloadConfig
    monkeypatch.setattr(
        tfds.download, "DownloadConfig", lambda **kw: download_config(num_shards=3, **kw)
    )
    store = prepare()
    assert len(list((tmp_path / "cache").rglob("*examples*-of-00003"))) == 3
    levels = [int(store.example("train", i)["fundus"][0, 0, 0]) for i in range(7)]
    assert levels == [20 + 5 * i for i in range(7)]


def test_no_temporary_folder_is_left_behind(prepare, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    prepare()
    assert list(temporary.iterdir()) == []


def test_an_eye_is_prepared_anew_where_its_volume_is_taken_otherwise(prepare, manifest, capfd):
    prepare()
    capfd.readouterr()
    said_of = [dataclasses.replace(eye, oct_range="0..100") for eye in manifest.eyes]
    other = dataclasses.replace(manifest, eyes=tuple(said_of))
    store = prepare(other)
    assert said(capfd) == ["prepared eyes: 10/10"]
    assert (store.example("train", 0)["oct"] == 51).all()  # 20 of 100
    prepare()
    prepare(other, oct_shape=None)  # then nothing is said of what is not looked at
    prepare(oct_shape=None)
    assert said(capfd) == ["prepared eyes: 10/10"]


def test_an_eye_is_prepared_anew_where_its_mask_is_taken_otherwise(prepare, manifest, capfd):
    prepare()
    capfd.readouterr()
    said_of = [dataclasses.replace(eye, mask_codes="bg:0,rim:2,cup:1") for eye in manifest.eyes]
    with pytest.raises(ValueError, match="rim inside its cup, read as 0 background, 2 rim, 1 cup"):
        prepare(dataclasses.replace(manifest, eyes=tuple(said_of)))
    capfd.readouterr()
    said_of = [dataclasses.replace(eye, mask_codes="ids") for eye in manifest.eyes]
    prepare(dataclasses.replace(manifest, eyes=tuple(said_of)))
    # Those without a mask were prepared before.
    assert said(capfd) == ["prepared eyes: 8/8"]

"""Volumes through TFDS: the same images as from arrays, prepared once, anew on change."""

import dataclasses
import itertools
import os

import numpy as np
import pytest

from data_pipelines.builders import oct_screening
from data_pipelines.load import (
    ScreeningArrayStore,
    eval_cube_batches,
    eval_scan_batches,
    train_cube_batches,
    train_scan_batches,
)
from data_pipelines.manifest import read_screening_manifest

SIZES = {"scan_size": 16, "cube_shape": (4, 8, 6)}


@pytest.fixture
def manifest(make_screening):
    return make_screening(train=5, val=3)


@pytest.fixture
def prepare(manifest, tmp_path):
    def run(manifest=manifest, **settings):
        return oct_screening.prepare_screening(manifest, tmp_path / "cache", **(SIZES | settings))

    return run


def test_equals_the_store_of_arrays(prepare, manifest):
    arrays = ScreeningArrayStore.from_manifest(manifest, **SIZES)
    store = prepare()
    assert store.grid == arrays.grid and store.splits == arrays.splits == ("train", "val")
    for split in store.splits:
        for name in ("ids", "patients", "eyes", "visits"):
            assert getattr(store, name)(split) == getattr(arrays, name)(split)
        for name in ("glaucoma", "vf", "has_vf", "num_scans"):
            one, other = getattr(store, name)(split), getattr(arrays, name)(split)
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        for i in reversed(range(store.num(split))):
            for name in ("scans", "cube"):
                one, other = getattr(store, name)(split, i), getattr(arrays, name)(split, i)
                assert one.dtype == other.dtype == np.uint8
                np.testing.assert_array_equal(one, other)


def test_a_large_set_is_sorted_in_pieces(prepare, manifest, monkeypatch):
    """As above 1 GB, with the limit at nothing: a piece of its own for each volume."""
    shuffle = oct_screening.tfds.core.shuffle
    monkeypatch.setattr(shuffle, "MAX_MEM_BUFFER_SIZE", 0)
    pieces, number_of = [], shuffle.get_bucket_number
    monkeypatch.setattr(
        shuffle, "get_bucket_number", lambda **kw: pieces.append(number_of(**kw)) or pieces[-1]
    )
    store = prepare(cube_shape=None)
    assert pieces[: 3 + 4 + 5] == [0] * 3 + [125] * 4 + [250] * 5  # the first three of eight
    arrays = ScreeningArrayStore.from_manifest(manifest, scan_size=16)
    for split, i in (("train", 0), ("train", 4), ("val", 2)):
        np.testing.assert_array_equal(store.scans(split, i), arrays.scans(split, i))


def test_batches_equal_those_of_arrays(prepare, manifest):
    def batches(store):
        settings = {"batch_size": 4, "seed": 2}
        made = []
        for train in (train_scan_batches, train_cube_batches):
            iterator = train(store, "train", start_step=3, **settings)
            made += itertools.islice(iterator, 3)
            iterator.close()
        for evaluate in (eval_scan_batches, eval_cube_batches):
            made += evaluate(store, "val", batch_size=5)
        return made

    arrays = ScreeningArrayStore.from_manifest(manifest, **SIZES)
    assert (prepare().backend, arrays.backend) == ("tf.data", "threads")
    for one, other in zip(batches(prepare()), batches(arrays), strict=True):
        assert one["id"] == other["id"]
        for name in one.keys() - {"id"}:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def folders(tmp_path):
    return {path.name for path in (tmp_path / "cache").glob("*") if path.is_dir()}


def test_prepared_once_each_part_by_itself(prepare, tmp_path, capfd):
    prepare(cube_shape=None)
    said = capfd.readouterr()
    assert said.out == ""
    assert [line.split(" in ")[0] for line in said.err.splitlines()] == [
        "prepared volumes (scans): 8/8"
    ]
    (scans,) = folders(tmp_path)
    prepare()
    assert "scans" not in capfd.readouterr().err
    assert len(folders(tmp_path)) == 2 and scans in folders(tmp_path)
    prepare()
    prepare(scan_size=None)
    assert capfd.readouterr().err == ""


def test_a_changed_label_prepares_nothing(prepare, manifest, tmp_path, capfd):
    prepare()
    before = folders(tmp_path)
    text = manifest.path.read_text()
    manifest.path.write_text(text.replace("v0.npy,0,90,", "v0.npy,0,77,"))
    store = prepare(read_screening_manifest(manifest.path))
    assert store.vf("train")[0, 0] == 77 and folders(tmp_path) == before


def test_what_changes_images_prepares_anew(prepare, manifest, tmp_path, monkeypatch):
    def names(**settings):
        before = folders(tmp_path)
        prepare(**({"cube_shape": None} | settings))
        return len(folders(tmp_path) - before)

    assert names() == 1
    assert names(scan_size=17) == 1
    assert names(max_scans=2) == 1
    assert names(scan_size=None, cube_shape=(4, 8, 6)) == 1
    assert names(scan_size=None, cube_shape=(4, 8, 5)) == 1
    path = manifest.volumes[0].oct
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert names() == 1
    monkeypatch.setattr(oct_screening, "FORMAT_VERSION", "2.0.1")
    assert names() == 1
    assert names() == 0


def test_sets_share_what_is_prepared(prepare, manifest, make_screening, tmp_path, capfd):
    """A split, another order, another fold and one more volume find what is there."""
    more = make_screening(folder="more", train=1).volumes[0]
    prepare()
    before = folders(tmp_path)
    capfd.readouterr()
    swapped = tuple(reversed(manifest.volumes))
    store = prepare(dataclasses.replace(manifest, volumes=swapped))
    assert prepare(splits=("val",)).num("val") == 3
    assert folders(tmp_path) == before and capfd.readouterr().err == ""
    arrays = ScreeningArrayStore.from_manifest(manifest, **SIZES)
    for i in range(5):
        np.testing.assert_array_equal(store.scans("train", i), arrays.scans("train", 4 - i))
    added = dataclasses.replace(more, id="more", patient="other")
    store = prepare(dataclasses.replace(manifest, volumes=(*manifest.volumes, added)))
    assert store.num("train") == 6
    said = [line.split(" in ")[0] for line in capfd.readouterr().err.splitlines()]
    assert said == ["prepared volumes (scans): 1/1", "prepared volumes (cubes): 1/1"]


def test_a_failed_preparation_leaves_nothing(prepare, manifest, tmp_path):
    path = manifest.split("val")[-1].oct
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(ValueError, match=path.name):
        prepare()
    assert folders(tmp_path) == set()
    path.write_bytes(whole)
    assert prepare().num("val") == 3


def test_volumes_without_a_split_can_be_asked_for(make_screening, prepare):
    store = prepare(make_screening(folder="loose", **{"": 2}), splits=("",))
    assert store.ids("") == ["v0", "v1"]
    assert store.scans("", 1)[:, 0, -1].tolist() == [10, 11, 12, 13]

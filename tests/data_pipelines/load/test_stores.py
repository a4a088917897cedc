"""The store of arrays: what it says of eyes, and what their examples hold."""

import numpy as np
import pytest
from PIL import Image

from data_pipelines.load import ArrayStore, WorkingGrid, count, describe


@pytest.fixture
def manifest(make_manifest):
    return make_manifest(train=8, val=3)


@pytest.fixture
def store(manifest):
    return ArrayStore.from_manifest(manifest, image_size=24, oct_shape=(5, 6, 4))


def test_metadata(store):
    assert store.splits == ("train", "val")
    assert store.ids("train") == [f"eye{i}" for i in range(8)]
    assert store.patients("val") == ["patient4", "patient4", "patient5"]
    assert store.grades("train").tolist() == [0, 1, 0, 0, 1, 0, 0, 1]
    assert store.has_grade("train").tolist() == [i % 3 != 2 for i in range(8)]
    assert store.has_oct("train").tolist() == [i % 4 != 3 for i in range(8)]
    assert store.has_mask("train").tolist() == [i % 5 != 4 for i in range(8)]
    assert store.num("test") == 0 and store.ids("test") == []


def test_example_of_a_complete_eye(store):
    example = store.example("train", 1)
    assert example["fundus"].shape == (24, 24, 3) and example["fundus"].dtype == np.uint8
    assert (example["fundus"] == 25).all()
    assert example["oct"].shape == (5, 6, 4) and (example["oct"] == 25).all()
    assert example["mask"].dtype == np.uint8 and set(np.unique(example["mask"])) == {0, 1, 2}
    assert example["grade"] == 1 and example["id"] == "eye1"
    assert example["has_oct"] and example["has_mask"] and example["has_grade"]


def test_example_of_what_is_missing(store):
    assert not store.example("train", 3)["has_oct"]
    assert (store.example("train", 3)["oct"] == 0).all()
    assert not store.example("train", 4)["has_mask"]
    assert (store.example("train", 4)["mask"] == 255).all()
    assert not store.example("train", 2)["has_grade"] and store.example("train", 2)["grade"] == 0


def test_without_oct_there_is_no_oct(manifest):
    store = ArrayStore.from_manifest(manifest, image_size=24, oct_shape=None)
    assert "oct" not in store.example("train", 0)
    assert not store.has_oct("train").any() and not store.example("train", 0)["has_oct"]


def test_native_mask_and_frame(store, manifest):
    eye = manifest.split("train")[1]
    np.testing.assert_array_equal(store.native_mask("train", 1), np.array(Image.open(eye.mask)))
    assert store.native_mask("train", 4) is None
    frame = store.frame("train", 1)
    assert (frame.native_height, frame.native_width, frame.size) == (48, 48, 24)
    assert (frame.top, frame.left, frame.height, frame.width) == (0, 0, 48, 48)


def test_an_example_that_is_not_there(store):
    for split, i in (("train", 8), ("train", -1), ("test", 0)):
        with pytest.raises(IndexError, match="no example"):
            store.example(split, i)


def test_counts(store):
    counts = count(store)
    assert counts["train"].eyes == 8 and counts["train"].patients == 4
    assert counts["train"].oct == 6 and counts["train"].masks == 7
    assert counts["train"].grades == (3, 3, 0)
    assert describe(counts).startswith(
        "train 8 eyes of 4 patients (oct 6, masks 7, grades 3/3/0); val 3 eyes"
    )


@pytest.mark.parametrize(("size", "shape"), [(0, None), (8, (4, 4)), (8, (4, 0, 4))])
def test_senseless_sizes_are_refused(size, shape):
    with pytest.raises(ValueError, match="oct_shape"):
        WorkingGrid(size, shape)


def test_eyes_without_a_split_can_be_asked_for(make_manifest):
    manifest = make_manifest(folder="loose", **{"": 2})
    store = ArrayStore.from_manifest(manifest, 24, None, splits=("",))
    assert store.ids("") == ["eye0", "eye1"]
    assert "no split 2 eyes" in describe(count(store))

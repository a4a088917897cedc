"""The store of volumes: what it says of them, and the images it gives."""

import numpy as np
import pytest

from data_pipelines.load import (
    ScreeningArrayStore,
    ScreeningGrid,
    count_screening,
    describe_screening,
)


@pytest.fixture
def manifest(make_screening):
    return make_screening(train=7, val=4)


@pytest.fixture
def store(manifest):
    return ScreeningArrayStore.from_manifest(manifest, scan_size=16, cube_shape=(4, 8, 6))


def test_metadata(store):
    assert store.splits == ("train", "val") and store.backend == "threads"
    assert store.num("train") == 7 and store.num("test") == 0
    assert store.ids("val") == ["v8", "v9", "v10", "v11"]
    assert store.patients("val") == ["patient4", "patient4", "patient5", "patient5"]
    assert store.eyes("val") == ["OD", "OS"] * 2 and store.visits("val") == ["1"] * 4
    assert store.glaucoma("train").tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert store.glaucoma("train").dtype == np.int32
    assert store.num_scans("train").tolist() == [3, 4, 5, 3, 4, 5, 3]


def test_visual_fields(store):
    vf, has_vf = store.vf("train"), store.has_vf("train")
    assert vf.dtype == np.float32 and vf.shape == has_vf.shape == (7, 3)
    assert has_vf.tolist() == [
        [True] * 3, [True] * 3, [False] * 3, [True] * 3, [True, False, True], [False] * 3, [True] * 3
    ]  # fmt: skip
    assert vf[3].tolist() == [87.0, -1.5, 4.0]
    assert vf[4].tolist() == [86.0, 0.0, 5.0]
    assert vf[2].tolist() == [0.0, 0.0, 0.0]
    # A measured zero is a measurement.
    assert vf[0].tolist() == [90.0, 0.0, 1.0] and has_vf[0].all()
    assert store.vf("test").shape == store.has_vf("test").shape == (0, 3)


def test_scans_are_those_of_the_file(store, manifest):
    for i, volume in enumerate(manifest.split("train")):
        scans = store.scans("train", i)
        stored = np.load(volume.oct)
        assert scans.shape == (len(stored), 16, 16) and scans.dtype == np.uint8
        assert scans[:, 0, -1].tolist() == stored[:, 0, -1].tolist()
        assert (scans[:, :, 0] == 0).all()
        for number, scan in enumerate(scans):
            assert (store.scan("train", i, number) == scan).all()


def test_cubes_are_whole_volumes_on_one_grid(store, manifest):
    cube = store.cube("train", 1)
    assert cube.shape == (4, 8, 6) and cube.dtype == np.uint8
    assert cube[:, 0, -1].tolist() == [10, 11, 12, 13]
    assert store.cube("val", 3)[:, 0, -1].tolist() == [110, 111, 113, 114]


def test_max_scans_keeps_fewer(manifest):
    store = ScreeningArrayStore.from_manifest(manifest, scan_size=16, max_scans=3)
    assert store.num_scans("train").tolist() == [3] * 7
    assert store.scans("train", 2)[:, 0, -1].tolist() == [20, 22, 24]


def test_the_neighbours_of_a_scan_are_those_of_the_volume(make_screening):
    """However few B-scans are looked at, those beside one are next to it in the file."""
    manifest = make_screening(train=1)
    path = manifest.split("train")[0].oct
    np.save(path, np.tile(np.arange(12, dtype=np.uint8)[:, None, None], (1, 16, 16)))
    store = ScreeningArrayStore.from_manifest(manifest, scan_size=16, max_scans=2)
    triplets = [store.triplet("train", 0, number)[0, 0].tolist() for number in range(2)]
    assert store.scans("train", 0)[:, 0, 0].tolist() == [3, 9]
    assert triplets == [[2, 3, 4], [8, 9, 10]]
    store = ScreeningArrayStore.from_manifest(manifest, 16, max_scans=2, scan_neighbours="kept")
    triplets = [store.triplet("train", 0, number)[0, 0].tolist() for number in range(2)]
    assert triplets == [[3, 3, 9], [3, 9, 9]]


@pytest.mark.parametrize(
    ("sizes", "ask", "words"),
    [
        ({"scan_size": 16}, "cube", "made without cube_shape"),
        ({"scan_size": None, "cube_shape": (4, 8, 6)}, "scans", "made without scan_size"),
    ],
)
def test_what_was_not_asked_for_is_not_there(manifest, sizes, ask, words):
    store = ScreeningArrayStore.from_manifest(manifest, **sizes)
    with pytest.raises(ValueError, match=words):
        getattr(store, ask)("train", 0)
    assert store.num_scans("train").sum() == (27 if ask == "cube" else 0)


def test_volumes_and_scans_that_are_not_there(store):
    for split, i in (("train", 7), ("train", -1), ("test", 0)):
        for ask in (store.scans, store.cube):
            with pytest.raises(IndexError, match="no volume"):
                ask(split, i)
    for number in (-1, 3):
        with pytest.raises(IndexError, match="no scan .* in volume v0: it has 3"):
            store.scan("train", 0, number)


@pytest.mark.parametrize(
    "settings",
    [
        {"scan_size": None},
        {"scan_size": 0},
        {"scan_size": 16, "cube_shape": (4, 8)},
        {"scan_size": 16, "cube_shape": (4, 0, 8)},
        {"scan_size": 16, "max_scans": 0},
        {"scan_size": None, "cube_shape": (4, 8, 6), "max_scans": 2},
    ],
)
def test_senseless_sizes_are_refused(settings):
    with pytest.raises(ValueError, match=r"scan_size|cube_shape|max_scans"):
        ScreeningGrid(**settings)


def test_counts(store):
    counts = count_screening(store)
    assert counts["train"].volumes == 7 and counts["train"].patients == 4
    assert counts["train"].cases == 7 and counts["train"].glaucoma == 3
    assert counts["train"].with_field == 4 and counts["train"].scans == 27
    assert describe_screening(counts).startswith(
        "train 7 volumes of 4 patients (cases 7, glaucoma 3, visual field 4, B-scans 27); val 4"
    )


def test_a_bad_file_is_named(manifest):
    path = manifest.split("val")[2].oct
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match="v10.npy: is truncated"):
        ScreeningArrayStore.from_manifest(manifest, scan_size=16)

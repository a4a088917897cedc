"""Left eyes seen as right ones: photograph, mask and volume together, and nothing else."""

import itertools

import numpy as np
import pytest
from PIL import Image

from data_pipelines.load import ArrayStore, train_batches
from data_pipelines.load.mirrored import sides_in_words, to_mirror, with_mirrored_rows
from data_pipelines.manifest import Eye, read_manifest, write_manifest

pytestmark = pytest.mark.quick

SIZE, OCT = 24, (5, 6, 4)  # depth, width, slices
SIDES = ("OS", "OD", None, "OS", None)


def eye_of(folder, number, side, flipped):
    """An eye of noise at working size, so that nothing is resampled; or its mirror image."""
    rng = np.random.default_rng(number)
    photograph = rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    mask = rng.integers(0, 3, (SIZE, SIZE)).astype(np.uint8)
    volume = rng.integers(0, 256, (OCT[2], OCT[0], OCT[1]), np.uint8)  # slices, depth, width
    if flipped:
        photograph, mask, volume = photograph[:, ::-1], mask[:, ::-1], volume[:, :, ::-1]
    files = [folder / f"{number}{end}" for end in (".png", "_mask.png", ".npy")]
    Image.fromarray(photograph).save(files[0])
    Image.fromarray(mask).save(files[1])
    np.save(files[2], volume)
    return Eye(f"e{number}", f"p{number}", "train", files[0], files[2], files[1], number % 3,
               eye=side)  # fmt: skip


def store_of(folder, turned):
    """The eyes of SIDES; with `turned`, left ones are written as their mirrored right twins."""
    folder.mkdir()
    eyes = [
        eye_of(folder, i, "OD" if turned and side == "OS" else side, turned and side == "OS")
        for i, side in enumerate(SIDES)
    ]
    write_manifest(folder / "manifest.csv", eyes)
    return ArrayStore.from_manifest(
        read_manifest(folder / "manifest.csv"), SIZE, OCT, crop_to_field=False
    )


@pytest.fixture
def stores(tmp_path):
    return store_of(tmp_path / "eyes", False), store_of(tmp_path / "twins", True)


def train(store, left_as_right):
    batches = train_batches(store, batch_size=4, seed=3, left_as_right=left_as_right)
    return list(itertools.islice(batches, 3))


def assert_same(batch, other, rows=slice(None)):
    for name in batch:
        np.testing.assert_array_equal(
            np.asarray(batch[name])[rows], np.asarray(other[name])[rows], err_msg=name
        )


def test_a_left_eye_is_seen_as_its_mirrored_right_twin(stores):
    eyes, twins = stores
    for turned, twin in zip(train(eyes, True), train(twins, True), strict=True):
        assert_same(turned, twin)


def test_only_left_eyes_are_mirrored_and_only_where_it_is_wanted(stores):
    eyes, twins = stores
    for turned, plain in zip(train(eyes, True), train(eyes, False), strict=True):
        left = np.array([SIDES[int(name[1:])] == "OS" for name in plain["id"]])
        assert left.any() and not left.all()
        assert_same(turned, plain, ~left)
        for name in ("fundus", "mask", "oct"):
            assert (turned[name][left] != plain[name][left]).any(), name
    for batch, same in zip(train(twins, True), train(twins, False), strict=True):
        assert_same(batch, same)  # there is no left eye


def test_unknown_sides_stay():
    assert to_mirror(["OS", "OD", None], "OS", True).tolist() == [True, False, False]
    assert to_mirror(["OS", "OD", None], "OD", True).tolist() == [False, True, False]
    assert to_mirror(["OS", "OD"], "OS", False).tolist() == [False, False]
    assert to_mirror([], "OS", True).shape == (0,)


def test_rows_of_a_batch_are_mirrored_and_the_batch_given_stays():
    batch = {"image": np.arange(12).reshape(2, 2, 3), "flag": np.array([1, 2])}
    found = with_mirrored_rows(batch, np.array([False, True]), {"image": 2, "absent": 1})
    assert found["image"].tolist() == [[[0, 1, 2], [3, 4, 5]], [[8, 7, 6], [11, 10, 9]]]
    assert batch["image"][1, 0, 0] == 6 and found["flag"] is batch["flag"]
    none = with_mirrored_rows(batch, np.array([False, False]), {"image": 2})
    assert none["image"] is batch["image"]


def test_the_sides_are_counted_in_words():
    said = sides_in_words(["OS", "OD", "OS", None])
    assert said.startswith("left_as_right: 2 left eyes are seen mirrored, 1 right eyes as they are")
    assert "so are 1 of which the side is not known" in said
    assert "not known" not in sides_in_words(["OS", "OD"])


def test_the_store_and_what_is_scored_stay_as_they_are(stores):
    eyes, _ = stores
    before = [eyes.example("train", i)["fundus"].copy() for i in range(len(SIDES))]
    train(eyes, True)
    for i, photograph in enumerate(before):
        np.testing.assert_array_equal(photograph, eyes.example("train", i)["fundus"])
        np.testing.assert_array_equal(eyes.native_mask("train", i), eyes.example("train", i)["mask"])

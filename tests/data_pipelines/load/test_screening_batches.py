"""Scan and cube batches: step k is a function of (seed, k), evaluation is complete and padded."""

import itertools

import numpy as np
import pytest

from data_pipelines.load import (
    ScreeningArrayStore,
    eval_cube_batches,
    eval_scan_batches,
    example_order,
    train_cube_batches,
    train_scan_batches,
)
from data_pipelines.load.screening_batches import centres

TRAIN = {"scan": train_scan_batches, "cube": train_cube_batches}
EVALUATE = {"scan": eval_scan_batches, "cube": eval_cube_batches}
SHAPES = {"scan": (16, 16, 3), "cube": (4, 8, 6)}
PARTS = pytest.mark.parametrize("part", ["scan", "cube"])


@pytest.fixture
def store(make_screening):
    manifest = make_screening(train=7, val=4)
    return ScreeningArrayStore.from_manifest(manifest, scan_size=16, cube_shape=(4, 8, 6))


def first(iterator, number):
    batches = list(itertools.islice(iterator, number))
    iterator.close()
    return batches


def train(store, part, number=4, **changes):
    settings = {"batch_size": 4, "seed": 5} | changes
    return first(TRAIN[part](store, "train", **settings), number)


def assert_same(batch, other):
    assert batch.keys() == other.keys()
    for name, values in batch.items():
        if name == "id":
            assert values == other[name]
        else:
            assert values.dtype == other[name].dtype, name
            np.testing.assert_array_equal(values, other[name], err_msg=name)


@PARTS
def test_contract(store, part):
    for batch in (train(store, part, 1)[0], next(EVALUATE[part](store, "val", batch_size=4))):
        shapes = {name: (v.shape, v.dtype) for name, v in batch.items() if name != "id"}
        assert shapes == {
            part: ((4, *SHAPES[part]), np.uint8),
            "glaucoma": ((4,), np.int32),
            "vf": ((4, 3), np.float32),
            "has_vf": ((4, 3), np.bool_),
            "valid": ((4,), np.bool_),
            "index": ((4,), np.uint32),
            "row": ((4,), np.int32),
            "scan_number": ((4,), np.int32),
        }
        assert len(batch["id"]) == 4 and batch["valid"].all()


@PARTS
def test_an_epoch_is_every_volume_once_with_its_labels(store, part):
    batches = train(store, part, 7)
    rows = np.concatenate([batch["row"] for batch in batches])
    assert rows.tolist() == [example_order(7, 5, index) for index in range(28)]
    for epoch in range(4):
        assert sorted(rows[7 * epoch : 7 * epoch + 7]) == list(range(7))
    for batch in batches:
        assert batch["id"] == [f"v{row}" for row in batch["row"]]
        for name in ("glaucoma", "vf", "has_vf"):
            np.testing.assert_array_equal(batch[name], getattr(store, name)("train")[batch["row"]])
    assert np.concatenate([b["index"] for b in batches]).tolist() == list(range(28))


def test_the_scan_is_the_triplet_around_its_number(store):
    numbers = {}
    for batch in train(store, "scan", 30):
        for image, row, number in zip(
            *(batch[n] for n in ("scan", "row", "scan_number")), strict=True
        ):
            last = store.num_scans("train")[row] - 1
            levels = [10 * row + n for n in (max(number - 1, 0), number, min(number + 1, last))]
            assert image[0, -1].tolist() == levels
            assert (image == store.triplet("train", row, number)).all()
            numbers.setdefault(int(row), set()).add(int(number))
    assert {row: len(seen) for row, seen in numbers.items()} == dict(
        enumerate(store.num_scans("train").tolist())
    )


def test_the_cube_is_that_of_its_row(store):
    batch = train(store, "cube", 1)[0]
    for image, row in zip(batch["cube"], batch["row"], strict=True):
        assert (image == store.cube("train", row)).all()
    assert (batch["scan_number"] == 0).all()


@PARTS
def test_runs_repeat_and_seeds_differ(store, part):
    once, again, other = train(store, part), train(store, part), train(store, part, seed=6)
    for batch, expected in zip(again, once, strict=True):
        assert_same(batch, expected)
    assert any(not np.array_equal(a[part], b[part]) for a, b in zip(once, other, strict=True))


@PARTS
def test_step_k_does_not_depend_on_the_start_nor_on_threads(store, part):
    whole = train(store, part, 6, workers=1, ahead=0)
    for start in (1, 4):
        later = train(store, part, 6 - start, start_step=start, workers=4, ahead=3)
        for batch, expected in zip(later, whole[start:], strict=True):
            assert_same(batch, expected)
    far = train(store, part, 1, start_step=2**33)[0]
    assert far["index"].tolist() == [(4 * 2**33 + place) % 2**32 for place in range(4)]


@PARTS
def test_both_backends_give_the_same_bits(store, part):
    def batches(backend):
        evaluated = EVALUATE[part](store, "val", batch_size=3, backend=backend)
        return train(store, part, 3, backend=backend) + list(evaluated)

    for one, other in zip(batches("tf.data"), batches("threads"), strict=True):
        assert_same(one, other)


@PARTS
def test_shards_are_the_rows_of_the_global_batch(store, part):
    def halves(make):
        return zip(make((0, 1)), make((0, 2)), make((1, 2)), strict=True)

    for make in (
        lambda shard: train(store, part, shard=shard),
        lambda shard: list(EVALUATE[part](store, "val", batch_size=6, shard=shard)),
    ):
        for batch, *parts in halves(make):
            assert batch["id"] == parts[0]["id"] + parts[1]["id"]
            for name in batch.keys() - {"id"}:
                joined = np.concatenate([half[name] for half in parts])
                np.testing.assert_array_equal(joined, batch[name])


@PARTS
def test_rows_restrict_training_and_evaluation(store, part):
    rows = np.flatnonzero(store.has_vf("train").all(axis=1))
    batches = train(store, part, 4, rows=rows)
    seen = np.concatenate([batch["row"] for batch in batches])
    assert seen.tolist() == [rows[example_order(4, 5, index)] for index in range(16)]
    assert all(batch["has_vf"].all() for batch in batches)
    evaluated = list(EVALUATE[part](store, "train", batch_size=5, rows=[3, 0]))
    order = [row for batch in evaluated for row in batch["row"] if row >= 0]
    assert order == ([3] * 3 + [0] * 3 if part == "scan" else [3, 0])


def test_evaluation_sees_every_scan_of_every_volume_in_order_and_pads(store):
    batches = list(eval_scan_batches(store, "val", batch_size=6))
    counts = store.num_scans("val").tolist()
    assert counts == [5, 3, 4, 5] and len(batches) == 3
    joined = {
        name: np.concatenate([b[name] for b in batches]) for name in batches[0].keys() - {"id"}
    }
    expected = [(row, number) for row, count in enumerate(counts) for number in range(count)]
    found = list(zip(joined["row"].tolist(), joined["scan_number"].tolist(), strict=True))
    assert found == [*expected, (-1, 0)]
    assert joined["valid"].tolist() == [True] * 17 + [False]
    assert joined["index"].tolist() == list(range(18))
    for image, (row, number) in zip(joined["scan"], expected, strict=False):
        assert (image == store.triplet("val", row, number)).all()
    assert joined["scan"][0, 0, -1].tolist() == [80, 80, 81]
    assert joined["scan"][4, 0, -1].tolist() == [83, 84, 84]
    assert (joined["scan"][-1] == 0).all() and not joined["has_vf"][-1].any()
    assert [name for batch in batches for name in batch["id"]][-2:] == ["v11", ""]


@pytest.mark.parametrize(
    ("count", "stride", "expected"),
    [
        (5, 1, [0, 1, 2, 3, 4]),
        (5, 2, [1, 3]),
        (6, 3, [1, 4]),
        (3, 8, [1]),
        (1, 4, [0]),
        (4, 5, [2]),
    ],
)
def test_every_so_many_scans(store, count, stride, expected):
    assert list(centres(count, stride)) == expected


def test_stride_leaves_scans_out_but_not_their_neighbours(store):
    (batch,) = eval_scan_batches(store, "val", batch_size=8, stride=2)
    assert batch["row"].tolist() == [0, 0, 1, 2, 2, 3, 3, -1]
    assert batch["scan_number"].tolist() == [1, 3, 1, 1, 3, 1, 3, 0]
    assert batch["scan"][1, 0, -1].tolist() == [82, 83, 84]


def test_parts_of_cubes_lie_in_them_and_everywhere(store):
    crop, starts = (3, 5, 6), set()
    for batch in train(store, "cube", 12, crop=crop):
        assert batch["cube"].shape[1:] == crop
        for image, row in zip(batch["cube"], batch["row"], strict=True):
            whole = store.cube("train", row)
            found = [
                (i, j)
                for i in range(4 - 3 + 1)
                for j in range(8 - 5 + 1)
                if (whole[i : i + 3, j : j + 5] == image).all()
            ]
            assert found
            starts |= set(found)
    assert {i for i, _ in starts} == {0, 1} and {j for _, j in starts} == {0, 1, 2, 3}
    with pytest.raises(ValueError, match=r"crop=\(5, 8, 6\) is larger than a cube of \(4, 8, 6\)"):
        train(store, "cube", 1, crop=(5, 8, 6))


def test_cubes_are_evaluated_in_order(store):
    batches = list(eval_cube_batches(store, "val", batch_size=3))
    rows = np.concatenate([batch["row"] for batch in batches])
    assert rows.tolist() == [0, 1, 2, 3, -1, -1]
    assert (batches[1]["cube"][0] == store.cube("val", 3)).all()


@PARTS
def test_right_eyes_can_be_mirrored_in_evaluation_as_in_training(store, part):
    width = {"scan": 1, "cube": 2}[part]
    for plain, mirrored in (
        (train(store, part), train(store, part, right_as_left=True)),
        (
            list(EVALUATE[part](store, "val", batch_size=4)),
            list(EVALUATE[part](store, "val", batch_size=4, right_as_left=True)),
        ),
    ):
        for one, other in zip(plain, mirrored, strict=True):
            for place, name in enumerate(one["id"]):
                right = name != "" and int(name[1:]) % 2 == 0
                image = np.flip(one[part][place], width)
                expected = image if right else one[part][place]
                assert (other[part][place] == expected).all()


@PARTS
def test_evaluation_of_nothing_is_nothing(store, part):
    assert list(EVALUATE[part](store, "test", batch_size=3)) == []
    assert list(EVALUATE[part](store, "val", batch_size=3, rows=[])) == []


@PARTS
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch_size": 3, "shard": (0, 2)}, "multiple of 2"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"seed": -1}, "seed"),
        ({"start_step": -1}, "start_step"),
        ({"backend": "grain"}, "grain"),
        ({"rows": []}, "no volume to train on"),
        ({"rows": [0, 7]}, "'train' has 7 volumes, and none at 7"),
        ({"rows": [1, 1]}, "named twice"),
        ({"split": "test"}, "no volume to train on in split 'test'"),
    ],
)
def test_wrong_settings_are_refused_before_the_first_batch(store, part, change, words):
    settings = {"split": "train", "batch_size": 4, "seed": 0} | change
    with pytest.raises(ValueError, match=words):
        TRAIN[part](store, **settings)


def test_wrong_settings_of_evaluation(store, make_screening):
    with pytest.raises(ValueError, match="stride=0"):
        eval_scan_batches(store, "val", batch_size=2, stride=0)
    with pytest.raises(ValueError, match="batch_size=0"):
        eval_scan_batches(store, "val", batch_size=0)
    scans = ScreeningArrayStore.from_manifest(make_screening(folder="more", val=2), scan_size=16)
    with pytest.raises(ValueError, match="holds no cubes: it was made without cube_shape"):
        eval_cube_batches(scans, "val", batch_size=2)

"""Batches: step k is a function of (seed, k), evaluation is complete and padded."""

import itertools

import numpy as np
import pytest

from data_pipelines.load import ArrayStore, eval_batches, train_batches
from data_pipelines.load.order import example_order

SIZE = 24


@pytest.fixture
def store(make_manifest):
    manifest = make_manifest(train=7, val=5)
    return ArrayStore.from_manifest(manifest, image_size=SIZE, oct_shape=(5, 6, 4))


def first(iterator, number):
    batches = list(itertools.islice(iterator, number))
    iterator.close()
    return batches


def train(store, number=4, **changes):
    settings = {"batch_size": 4, "seed": 5} | changes
    return first(train_batches(store, "train", **settings), number)


def assert_same(batch, other):
    assert batch.keys() == other.keys()
    for name, values in batch.items():
        if name == "id":
            assert values == other[name]
        else:
            assert values.dtype == other[name].dtype, name
            np.testing.assert_array_equal(values, other[name], err_msg=name)


def test_contract(store):
    batch = train(store, 1)[0]
    shapes = {name: (values.shape, values.dtype) for name, values in batch.items() if name != "id"}
    assert shapes == {
        "fundus": ((4, SIZE, SIZE, 3), np.uint8),
        "oct": ((4, 5, 6, 4), np.uint8),
        "mask": ((4, SIZE, SIZE), np.uint8),
        "grade": ((4,), np.int32),
        "glaucoma": ((4,), np.int32),
        "has_glaucoma": ((4,), np.bool_),
        "has_oct": ((4,), np.bool_),
        "has_mask": ((4,), np.bool_),
        "has_grade": ((4,), np.bool_),
        "valid": ((4,), np.bool_),
        "index": ((4,), np.uint32),
    }
    assert len(batch["id"]) == 4 and batch["valid"].all()


def test_the_order_is_that_of_example_order_and_the_flags_are_the_eyes(store):
    for step, batch in enumerate(train(store, 5)):
        positions = [example_order(7, 5, 4 * step + row) for row in range(4)]
        assert batch["id"] == [f"eye{position}" for position in positions]
        assert batch["index"].tolist() == [4 * step + row for row in range(4)]
        assert batch["has_oct"].tolist() == [position % 4 != 3 for position in positions]
        assert batch["has_mask"].tolist() == [position % 5 != 4 for position in positions]
        assert batch["has_grade"].tolist() == [position % 3 != 2 for position in positions]
        assert (batch["oct"][~batch["has_oct"]] == 0).all()
        assert (batch["mask"][~batch["has_mask"]] == 255).all()


def test_runs_repeat_and_seeds_differ(store):
    for batch, again in zip(train(store), train(store), strict=True):
        assert_same(batch, again)
    other = train(store, seed=6)
    assert any(
        not np.array_equal(batch["fundus"], changed["fundus"])
        for batch, changed in zip(train(store), other, strict=True)
    )


def test_step_k_does_not_depend_on_the_start(store):
    whole = train(store, 6)
    for start in (1, 4):
        for batch, expected in zip(
            train(store, 6 - start, start_step=start), whole[start:], strict=True
        ):
            assert_same(batch, expected)


def test_a_far_step_is_reached_at_once(store):
    step = 2**33
    batch = train(store, 1, start_step=step)[0]
    assert batch["index"].tolist() == [(4 * step + row) % 2**32 for row in range(4)]


def test_threads_and_look_ahead_do_not_change_the_bits(store):
    alone = train(store, workers=1, ahead=0)
    for batch, expected in zip(train(store, workers=4, ahead=5), alone, strict=True):
        assert_same(batch, expected)


def test_batches_are_the_examples_of_the_store(store):
    for batch in [*train(store, 3), *eval_batches(store, "val", batch_size=4)]:
        split = "train" if batch["id"][0] in store.ids("train") else "val"
        for row, name in enumerate(batch["id"]):
            if not batch["valid"][row]:
                continue
            example = store.example(split, store.ids(split).index(name))
            for part in ("fundus", "mask", "oct"):
                np.testing.assert_array_equal(batch[part][row], example[part])


def test_padding_holds_nothing(store):
    last = list(eval_batches(store, "val", batch_size=4))[-1]
    assert last["valid"].tolist() == [True, False, False, False]
    assert (last["mask"][1:] == 255).all()
    for name in ("fundus", "oct", "grade", "has_oct", "has_mask", "has_grade", "has_glaucoma"):
        assert not last[name][1:].any()


def test_shards_are_the_rows_of_the_global_batch(store):
    whole = train(store)
    parts = [train(store, shard=(process, 2)) for process in range(2)]
    for batch, *halves in zip(whole, *parts, strict=True):
        assert batch["id"] == halves[0]["id"] + halves[1]["id"]
        for name in batch.keys() - {"id"}:
            joined = np.concatenate([half[name] for half in halves])
            np.testing.assert_array_equal(joined, batch[name])


def test_images_are_whole(store):
    batch = train(store, 1)[0]
    assert batch["fundus"].shape == (4, SIZE, SIZE, 3)
    levels = [20 + 5 * int(name.removeprefix("eye")) for name in batch["id"]]
    assert batch["fundus"][:, 0, 0, 0].tolist() == levels


def test_use_oct_false_leaves_the_volume_out(store):
    for batch in (
        train(store, 1, use_oct=False)[0],
        next(eval_batches(store, "val", batch_size=2, use_oct=False)),
    ):
        assert "oct" not in batch and not batch["has_oct"].any()
    # What remains is the same as with it.
    with_oct, without = train(store, 1)[0], train(store, 1, use_oct=False)[0]
    np.testing.assert_array_equal(with_oct["fundus"], without["fundus"])


def test_evaluation_sees_every_example_once_in_order_and_pads(store):
    batches = list(eval_batches(store, "val", batch_size=3))
    assert len(batches) == 2
    assert [batch["fundus"].shape for batch in batches] == [(3, SIZE, SIZE, 3)] * 2
    assert [name for batch in batches for name in batch["id"]] == [*store.ids("val"), ""]
    assert np.concatenate([batch["index"] for batch in batches]).tolist() == [0, 1, 2, 3, 4, 5]
    last = batches[1]
    assert last["valid"].tolist() == [True, True, False]
    for name in ("has_oct", "has_mask", "has_grade"):
        assert not last[name][2]
    assert (last["mask"][2] == 255).all() and (last["fundus"][2] == 0).all()
    for position, batch in enumerate((batches[0], batches[0], batches[0], last, last)):
        example = store.example("val", position)
        np.testing.assert_array_equal(batch["fundus"][position % 3], example["fundus"])
        np.testing.assert_array_equal(batch["mask"][position % 3], example["mask"])


def test_evaluation_of_nothing_is_nothing(store):
    assert list(eval_batches(store, "test", batch_size=3)) == []


def test_evaluation_shards_give_equally_many_batches(store):
    parts = [list(eval_batches(store, "val", batch_size=4, shard=(p, 2))) for p in range(2)]
    assert [len(part) for part in parts] == [2, 2]
    assert [batch["index"].tolist() for batch in parts[1]] == [[2, 3], [6, 7]]
    assert parts[1][1]["valid"].tolist() == [False, False]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch_size": 3, "shard": (0, 2)}, "multiple of 2"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"shard": (2, 2)}, "shard"),
        ({"seed": -1}, "seed"),
        ({"start_step": -1}, "start_step"),
        ({"backend": "grain"}, "grain"),
    ],
)
def test_wrong_settings_are_refused_before_the_first_batch(store, change, words):
    with pytest.raises(ValueError, match=words):
        train_batches(store, "train", **({"batch_size": 4, "seed": 0} | change))


def test_training_on_an_empty_split_is_refused(store):
    with pytest.raises(ValueError, match="'test' is empty"):
        train_batches(store, "test", batch_size=1, seed=0)


def test_no_tensorflow_is_imported_for_arrays(store):
    import subprocess
    import sys

    program = (
        "import sys, data_pipelines.load; "
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

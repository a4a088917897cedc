"""Augmentation in a training: the same views on however many devices, from wherever it goes on."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.augment import augmentation, words
from imo_jax.augment.config import RELEASED, AugmentConfig
from imo_jax.augment.draws import augmentation_keys
from imo_jax.augment.scan_config import ScanAugmentConfig
from imo_jax.train import parallel

SIDE, OCT, SCAN, CUBE = 40, (6, 5, 7), (12, 10, 3), (3, 5, 7)
OF_EYES = {
    "disc": AugmentConfig(crop_size=32),
    "released": dataclasses.replace(RELEASED, crop_size=32),
}


def batch_of(kind, index):
    """Raw examples by global index: a function of the index alone."""
    index = np.asarray(index)
    shapes = {"scan": SCAN, "cube": CUBE, "fundus": (SIDE, SIDE, 3), "oct": OCT}
    rows = [np.random.default_rng(int(i)) for i in index]
    names = (kind,) if kind in shapes else ("fundus", "oct")
    batch = {n: np.stack([r.integers(0, 256, shapes[n], np.uint8) for r in rows]) for n in names}
    if kind not in shapes:
        mask = np.zeros((len(index), SIDE, SIDE), np.uint8)
        mask[:, 12:24, 16:28] = 1
        batch |= {"mask": mask, "has_mask": index % 3 > 0, "has_oct": index % 4 > 0}
    return batch | {"index": index.astype(np.uint32)}


def augmentation_of(kind):
    if kind in OF_EYES:
        return augmentation.of_eyes(OF_EYES[kind], OCT)
    return augmentation.of_images(ScanAugmentConfig(), kind, {"scan": SCAN, "cube": CUBE}[kind])


@functools.cache
def drawing(kind, seed):
    """The program of the draws, compiled once for a shape."""
    key = jax.random.key(seed)
    return parallel.over_devices(augmentation_of(kind).draws, donate=(), key=key)


@functools.cache
def viewing(kind):
    """Those of the views and of how the step reads them, compiled once for a shape."""
    views = augmentation_of(kind)
    return parallel.over_devices(views.views, donate=()), jax.jit(views.unpack)


def seen(kind, index, devices=1, accumulation=1, seed=0, called=None):
    """What the step reads of the examples of a batch, by index; called: other indices for them."""
    batch = batch_of(kind, index)
    if called is not None:
        batch["index"] = np.asarray(called, np.uint32)
    batch = parallel.shard(batch, devices, accumulation)
    apply, unpack = viewing(kind)
    out = jax.tree.map(np.asarray, unpack(apply(batch, drawing(kind, seed)(batch["index"]))))
    # (devices, accumulation, b, ...) -> (B, ...)
    flat = {name: value.reshape(-1, *value.shape[3:]) for name, value in out.items()}
    order = np.argsort(flat["index"])
    return {name: value[order] for name, value in flat.items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize("kind", [*OF_EYES, "scan", "cube"])
def test_views_depend_on_seed_and_index_alone(kind):
    index = np.arange(40, 48)
    whole = seen(kind, index)
    for devices, accumulation in ((2, 1), (2, 2), (1, 4)):
        assert_same(seen(kind, index, devices, accumulation), whole)
    # A host's share of the batch, or another batch size, or another order.
    late = {name: value[4:] for name, value in whole.items()}
    assert_same(seen(kind, index[4:]), late)
    assert_same(seen(kind, index[:3:-1]), late)
    image = kind if kind in ("scan", "cube") else "fundus"
    other = seen(kind, index, seed=1)
    assert all((other[image][i] != whole[image][i]).any() for i in range(8))


def test_the_same_eye_looks_different_the_next_time():
    one, other = seen("disc", [3]), seen("disc", [3 + 2**20])
    again = seen("disc", [3], called=[3 + 2**20])
    assert (again["fundus"] != one["fundus"]).any()
    assert other.keys() == one.keys()


def test_keys_by_hand():
    # The run's key, folded with the CRC-32 of "augment", folded with the index.
    key = jax.random.key(5)
    expected = jax.random.fold_in(jax.random.fold_in(key, 0xEB167A19), 9)
    found = augmentation_keys(key, jnp.array([9], jnp.uint32))[0]
    np.testing.assert_array_equal(jax.random.key_data(found), jax.random.key_data(expected))


def test_what_an_eye_has_not_stays_away_and_labels_are_passed_on():
    batch = batch_of("disc", np.arange(8)) | {"grade": np.arange(8, dtype=np.int32)}
    views = augmentation_of("disc")
    part = {name: jnp.asarray(value)[None] for name, value in batch.items()}
    key = jax.random.key(0)

    @functools.partial(jax.jit, static_argnums=0)
    def seen_by(augmented, part):
        draws = augmented.draws(part["index"], key=key)
        return augmented.unpack(augmented.views(part, draws))

    out = seen_by(views, part)
    assert out["grade"][0].tolist() == list(range(8))
    assert not out["has_oct"][0][~batch["has_oct"]].any()
    assert not np.asarray(out["oct"][0])[~np.asarray(out["has_oct"][0])].any()
    assert "pixels" not in out and "voxels" not in out
    without = augmentation.of_eyes(OF_EYES["disc"], None)
    del part["oct"], part["has_oct"]
    again = seen_by(without, part)
    assert "oct" not in again
    np.testing.assert_array_equal(again["fundus"], out["fundus"])


def test_words_hold_bytes():
    values = np.random.default_rng(0).integers(0, 256, (2, 3, 6), np.uint8)
    packed = words.of_bytes(jnp.asarray(values))
    assert packed.shape == (2, 3, 2) and packed.dtype == jnp.uint32
    assert int(packed[0, 0, 0]) == int.from_bytes(values[0, 0, :4].tobytes(), "little")
    np.testing.assert_array_equal(words.to_bytes(packed, 6), values)
    again = words.joined(words.lanes(packed))
    np.testing.assert_array_equal(again, packed)
    table = jnp.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(words.take(table, jnp.array([[5, 0], [11, 3]])), [[5, 0], [11, 3]])

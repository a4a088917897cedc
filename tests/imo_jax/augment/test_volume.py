"""OCT volumes: the mirror follows the photograph, each change by itself."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from eye_views import STILL, views

from imo_jax.augment import volume, words
from imo_jax.augment.speckle import NORMAL, speckled

OFF = dataclasses.replace(STILL, crop_size=16)


def some_volume():
    """(depth, width, slices), slices no multiple of the bytes in a word."""
    return np.random.default_rng(1).integers(30, 200, (20, 6, 3), dtype=np.uint8)


def looks(cube, number=20, **changes):
    fundus = np.random.default_rng(2).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    example = {"fundus": fundus, "mask": np.zeros((16, 16), np.uint8), "has_mask": np.bool_(True),
               "oct": cube, "has_oct": np.bool_(True)}  # fmt: skip
    return fundus, views(example, dataclasses.replace(OFF, **changes), number)


@pytest.mark.parametrize("oct_follows", ["flip", "none"])
def test_volume_is_mirrored_with_the_photograph_if_it_follows(oct_follows):
    fundus, out = looks(some_volume(), flip=True, oct_follows=oct_follows)
    flips = 0
    for seen, cube in zip(out["fundus"], out["oct"], strict=True):
        flipped = np.array_equal(seen, fundus[:, ::-1])
        flips += flipped
        mirror = flipped and oct_follows == "flip"
        np.testing.assert_array_equal(cube, some_volume()[:, ::-1] if mirror else some_volume())
    assert 0 < flips < 20


def test_all_ranges_zero_changes_nothing():
    _, out = looks(some_volume(), 2)
    assert out["oct"].dtype == np.uint8 and (out["oct"] == some_volume()).all()


def test_move_by_hand():
    cube = np.arange(24, dtype=np.uint8).reshape(1, 3, 2, 4)
    voxels = words.of_bytes(jnp.asarray(cube))
    down = volume.moved(voxels, jnp.array([False]), jnp.array([1]))
    up = volume.moved(voxels, jnp.array([True]), jnp.array([-2]))
    np.testing.assert_array_equal(words.to_bytes(down, 4), cube[:, [0, 0, 1]])
    np.testing.assert_array_equal(words.to_bytes(up, 4), cube[:, [2, 2, 2], ::-1])


def test_shift_moves_along_depth_and_repeats_the_edge():
    cube = some_volume()
    _, out = looks(cube, 30, oct_shift=0.2)
    shifts = set()
    for look in out["oct"]:
        matches = [
            rows
            for rows in range(-4, 5)
            if np.array_equal(look, cube[np.clip(np.arange(20) - rows, 0, 19)])
        ]
        assert matches, "no shift of at most 20 % of the depth explains the result"
        shifts.add(matches[0])
    assert min(shifts) < 0 < max(shifts)


def test_curves_by_hand():
    # 255 * 1.2 * (51 / 255)^2 = 12.24; 255 * 1.2 is cut at 255.
    curve = volume.curves(jnp.array([1.2, 0.5]), jnp.array([2.0, 1.0]))
    assert curve[0, [0, 51, 255]].tolist() == [0, 12, 255]
    assert curve[1, [0, 51, 255]].tolist() == [0, 26, 128]  # 25.5 and 127.5, to even


def test_gain_and_gamma_are_one_monotonic_curve():
    cube = np.arange(200, dtype=np.uint8).reshape(20, 5, 2)
    for change in ({"oct_gain": 0.3}, {"oct_gamma": 0.3}):
        for look in looks(cube, 3, **change)[1]["oct"]:
            assert not np.array_equal(look, cube)
            assert (np.diff(look.ravel().astype(int)) >= 0).all()
    for gained in looks(cube, 3, oct_gain=0.3)[1]["oct"]:
        factor = gained[19, 4, 1] / 199
        assert 0.69 <= factor <= 1.3
        np.testing.assert_allclose(gained, np.minimum(cube * factor, 255), atol=1.01)


def test_speckle_by_hand():
    assert NORMAL[0] == pytest.approx(-2.885635, abs=1e-5)  # the 1/512 quantile
    assert NORMAL[128] == pytest.approx(0.004896, abs=1e-6)  # that of 257/512
    out = speckled(jnp.array([100.0, 100.0, 250.0]), jnp.array([0, 128, 255], jnp.uint32), 0.1)
    assert out.tolist() == [71, 100, 255]


def test_speckle_is_multiplicative_with_the_given_deviation():
    cube = np.full((40, 40, 6), 100, np.uint8)
    cube[0] = 0
    out = looks(cube, 1, oct_speckle=0.1)[1]["oct"][0].astype(float)
    assert (out[0] == 0).all()
    assert out[1:].mean() == pytest.approx(100, abs=0.5)
    assert out[1:].std() == pytest.approx(10, abs=0.5)
    # No slice repeats another's numbers.
    assert np.abs(np.corrcoef(out[1:].reshape(-1, 6).T) - np.eye(6)).max() < 0.1


def test_withheld_oct_is_absent_and_dark():
    for probability, kept in ((0.0, 20), (1.0, 0)):
        _, out = looks(some_volume(), oct_withheld=probability)
        assert out["has_oct"].sum() == kept
        assert out["oct"].any(axis=(1, 2, 3)).sum() == kept
    _, out = looks(some_volume(), oct_withheld=0.5)
    assert 0 < out["has_oct"].sum() < 20
    np.testing.assert_array_equal(out["oct"].any(axis=(1, 2, 3)), out["has_oct"])

import numpy as np
import pytest

from imo_jax.surrogate.descriptor import Norm3Pooling, norm3


def test_by_hand():
    features = np.array([[1.0, 3.0, 0.0], [2.0, 4.0, 0.0], [0.0, 5.0, 0.0]])
    # 27 + 64 + 125 = 216 = 6^3
    np.testing.assert_allclose(norm3(features), [9 ** (1 / 3), 6.0, 0.0], rtol=1e-7)
    np.testing.assert_allclose(
        norm3(features, "mean"), [3 ** (1 / 3), 72 ** (1 / 3), 0.0], rtol=1e-7
    )


def test_nothing_is_clamped():
    assert norm3(np.zeros((5, 2))).tolist() == [0.0, 0.0]
    np.testing.assert_allclose(norm3(np.full((1, 1), 1e-9)), [1e-9], rtol=1e-6)


def test_only_the_mean_is_free_of_the_number_of_scans():
    features = np.random.default_rng(0).random((7, 5))
    twice = np.concatenate([features, features])
    np.testing.assert_allclose(norm3(twice, "mean"), norm3(features, "mean"), rtol=1e-6)
    np.testing.assert_allclose(norm3(twice), 2 ** (1 / 3) * norm3(features), rtol=1e-6)


@pytest.mark.parametrize("kind", ["sum", "mean"])
def test_batches_equal_whole_volumes(kind):
    rng = np.random.default_rng(1)
    sizes = (3, 9, 1)
    features = rng.random((sum(sizes), 6)).astype(np.float32)
    row = np.repeat(np.arange(3), sizes)
    pooling = Norm3Pooling(3, 6, kind)
    for part in np.array_split(np.arange(len(row)), 4):
        padded = np.concatenate([features[part], np.full((2, 6), 7.0)])
        valid = np.arange(len(part) + 2) < len(part)
        pooling.add(padded, np.append(row[part], [0, 0]), valid)
    expected = [norm3(features[row == v], kind) for v in range(3)]
    np.testing.assert_allclose(pooling.descriptors(), expected, rtol=1e-6)
    by_numpy = [np.linalg.norm(features[row == v], ord=3, axis=0) for v in range(3)]
    if kind == "sum":
        np.testing.assert_allclose(pooling.descriptors(), by_numpy, rtol=1e-6)


def test_what_is_refused():
    with pytest.raises(ValueError, match="'max'.*sum, mean"):
        Norm3Pooling(1, 1, "max")
    with pytest.raises(ValueError, match=r"1 volumes.*\[1\]"):
        pooling = Norm3Pooling(2, 1)
        pooling.add(np.ones((1, 1)), np.array([0]), np.array([True]))
        pooling.descriptors()
    with pytest.raises(ValueError, match="not finite"):
        norm3(np.array([[np.nan]]))

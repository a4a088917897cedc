import numpy as np
import pytest

from imo_jax.volume_sums import VolumeSums


def test_batches_in_any_order_give_the_means():
    rng = np.random.default_rng(0)
    values, row = rng.normal(size=(50, 4)).astype(np.float32), rng.integers(0, 6, 50)
    row[row == 3] = 4  # a volume that never shows
    sums = VolumeSums(6, 4)
    for part in np.array_split(rng.permutation(50), 7):
        sums.add(values[part], row[part], np.ones(len(part), bool))
    assert sums.count.tolist() == [np.sum(row == v) for v in range(6)]
    for v in (0, 1, 2, 4, 5):
        expected = values[row == v].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(sums.mean()[v], expected, rtol=1e-12)
    assert np.isnan(sums.mean()[3]).all()


def test_padding_is_not_looked_at_and_scalars_are_a_column():
    sums = VolumeSums(2, 1)
    sums.add(np.array([1.0, 3.0, np.nan]), np.array([1, 1, 0]), np.array([True, True, False]))
    np.testing.assert_array_equal(sums.mean(), [[np.nan], [2.0]])
    with pytest.raises(ValueError, match=r"not finite.*\[1\]"):
        sums.add(np.array([np.inf]), np.array([1]), np.array([True]))

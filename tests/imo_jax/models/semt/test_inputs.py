"""Inputs on the device: ImageNet's statistics for scans, 0..1 for cubes."""

import numpy as np
import pytest

from imo_jax.models.semt import normalise


def test_scans():
    found = normalise({"scan": np.full((1, 1, 1, 3), 255, np.uint8), "glaucoma": np.zeros(1)})
    expected = [(255 - 123.675) / 58.395, (255 - 116.28) / 57.12, (255 - 103.53) / 57.375]
    np.testing.assert_allclose(found[0, 0, 0], expected, rtol=1e-6)


def test_cubes():
    cube = np.arange(8, dtype=np.uint8).reshape(1, 2, 2, 2)
    found = normalise({"cube": cube})
    assert found.shape == (1, 2, 2, 2, 1)
    np.testing.assert_allclose(found[..., 0], cube / 255, rtol=1e-6)


def test_neither():
    with pytest.raises(KeyError, match="neither scan nor cube"):
        normalise({"fundus": np.zeros((1, 2, 2, 3), np.uint8)})

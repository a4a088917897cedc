import numpy as np
import pytest

from data_pipelines import quality


@pytest.fixture
def photograph():
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)


def test_a_sound_photograph_has_nothing_against_it(photograph):
    assert quality.photograph_faults(photograph) == quality.photograph_doubts(photograph) == []


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda p: p[:5, :5], "5 x 5 pixels"),
        (lambda p: np.zeros_like(p), "single colour, (0, 0, 0)"),
        (lambda p: np.full_like(p, 255), "single colour"),
    ],
)
def test_faults_of_photographs(photograph, spoil, words):
    (fault,) = quality.photograph_faults(spoil(photograph))
    assert words in fault


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda p: p // 16, "nearly black"),
        (lambda p: np.repeat(p[..., :1], 3, axis=2), "grey"),
        (lambda p: np.tile(p, (1, 4, 1)), "strip of 240 x 40"),
    ],
)
def test_doubts_about_photographs(photograph, spoil, words):
    assert quality.photograph_faults(spoil(photograph)) == []
    (doubt,) = quality.photograph_doubts(spoil(photograph))
    assert words in doubt


def test_faults_and_doubts_of_volumes():
    volume = np.random.default_rng(0).integers(0, 256, (4, 16, 12)).astype(np.uint8)
    assert quality.volume_faults(volume) == quality.volume_doubts(volume) == []
    assert "absurd" in quality.volume_faults(volume[:, :7])[0]
    assert "every voxel is 3" in quality.volume_faults(np.full_like(volume, 3))[0]
    assert "single slice" in quality.volume_doubts(volume[:1])[0]

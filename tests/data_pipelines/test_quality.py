import numpy as np
import pytest
from scipy import ndimage

from data_pipelines import quality, quality_table
from data_pipelines.images import read_fundus
from data_pipelines.phantom import make_phantom


@pytest.fixture
def photograph():
    """Red more than green, green more than blue, with a little noise."""
    noise = np.random.default_rng(0).integers(0, 12, (40, 60, 1))
    return (noise + np.array([190, 100, 50])).astype(np.uint8)


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
        (lambda p: p // 11, "nearly black"),
        (lambda p: np.repeat(p[..., :1], 3, axis=2), "grey"),
        (lambda p: np.tile(p, (1, 4, 1)), "strip of 240 x 40"),
        (lambda p: np.random.default_rng(0).integers(0, 256, p.shape, np.uint8), "noise"),
        (lambda p: p[..., ::-1], "more blue than red"),
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


@pytest.mark.parametrize("top", [5.5, 40.0])
def test_numbers_that_are_no_grey_values_are_doubtful(top):
    volume = np.random.default_rng(0).uniform(0, 1, (4, 16, 12)).astype(np.float32)
    assert quality.volume_doubts(volume) == quality.volume_doubts(255 * volume) == []
    assert quality.volume_doubts(4095 * volume) == []
    (doubt,) = quality.volume_doubts(top * volume)
    assert "no grey values" in doubt


def test_slices_that_come_last_are_doubtful():
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.normal(size=(8, 40, 40)), (0, 3, 3))
    volume = np.clip(128 + 600 * smooth, 0, 255).astype(np.uint8)  # (slices, depth, width)
    assert quality.volume_doubts(volume) == []
    (doubt,) = quality.volume_doubts(volume.transpose(1, 2, 0))
    assert "last axis looks like the slices" in doubt


def test_depth_that_comes_first_is_doubtful():
    """Layers: what changes most is depth."""
    rng = np.random.default_rng(0)
    layers = np.repeat(rng.uniform(40, 200, 12), 4)[None, :, None]
    volume = (layers + rng.normal(0, 10, (8, 48, 40))).astype(np.uint8)  # (slices, depth, width)
    assert quality.volume_doubts(volume) == []
    (doubt,) = quality.volume_doubts(volume.transpose(1, 2, 0))
    assert "last axis looks like the slices" in doubt


@pytest.fixture(scope="module")
def clear(tmp_path_factory):
    """A clear phantom photograph, 512 pixels a side."""
    folder = make_phantom(tmp_path_factory.mktemp("phantom"), eyes=3, seed=0)
    return read_fundus(min((folder / "fundus").iterdir()))


def test_blur_is_doubted_and_darkness_and_contrast_are_no_blur(clear):
    assert quality.photograph_doubts(clear) == []
    sharp = quality.sharpness(clear)
    assert sharp > quality.CLEAR
    for spoil in (lambda p: p // 2, lambda p: 60 + p // 2):
        assert quality.sharpness(spoil(clear)) == pytest.approx(sharp, rel=0.2)
    sigmas = (1, 2, 4, 8)
    blurred = [ndimage.gaussian_filter(clear, (sigma, sigma, 0)) for sigma in sigmas]
    found = [quality.sharpness(image) for image in blurred]
    assert sorted(found, reverse=True) == found
    (doubt,) = quality.photograph_doubts(blurred[-1])
    assert doubt.startswith("is blurred (sharpness 0.0")


def test_sharpness_is_not_told_of_small_and_dark_photographs(clear, photograph):
    assert quality.sharpness(photograph) is None
    assert quality.sharpness(clear // 20) is None
    assert quality.sharpness(np.full_like(clear, 90)) is None


def test_the_table_spoils_step_by_step(clear):
    said = {step: (sharp, text) for step, sharp, text in quality_table.rows([clear, clear])}
    assert said["as it is"][1] == "nothing" and said["brightness x 0.5"][1] == "nothing"
    assert said["brightness x 0.05"] == ("-", "is nearly black: 2/2")
    assert said["blur 0.016 of the side"][1] == "is blurred: 2/2"
    assert said["noise of 80 grey levels"][1].startswith("is as rough as noise")

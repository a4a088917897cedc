"""What reading and preparing a volume takes beside the volume itself: a few B-scans, no second copy."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from data_pipelines.quality import volume_doubts, volume_faults
from data_pipelines.volume_form import VolumeForm
from data_pipelines.volumes import read_volume, to_cube, to_scans

pytestmark = pytest.mark.quick

SHAPE = (60, 200, 100)  # slices, depth, width
ROOM = 0.15  # of the volume: a few of its slices


def voxels(dtype):
    noise = np.random.default_rng(0).random(SHAPE)
    layers = np.exp(-(((np.arange(200) / 200 - 0.5) / 0.08) ** 2))[:, None]
    white = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    return ((layers + noise) / 2 * white).astype(dtype)


def peak_of(function):
    """(result, bytes that were held at most while it was computed)."""
    function()  # what is imported on the way stays
    tracemalloc.start()
    try:
        found = function()
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, ">f4"])
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_reading(tmp_path, dtype, suffix):
    volume, file = voxels(dtype), tmp_path / f"v.{suffix}"
    np.save(file, volume) if suffix == "npy" else np.savez_compressed(file, volume)
    found, peak = peak_of(lambda: read_volume(file))
    np.testing.assert_array_equal(found, volume.astype(found.dtype))
    assert found.dtype == (np.uint8 if dtype == np.uint8 else np.float32)
    assert peak < (1 + ROOM) * found.nbytes + 400_000  # what unzipping takes at a time


def test_reading_a_folder_of_b_scans(tmp_path):
    volume = voxels(np.uint16)
    for i, b_scan in enumerate(volume):
        Image.fromarray(b_scan).save(tmp_path / f"{i}.png")
    found, peak = peak_of(lambda: read_volume(tmp_path))
    np.testing.assert_array_equal(found, volume)
    assert found.dtype == np.float32 and peak < (1 + ROOM) * found.nbytes


def test_a_range_gives_bytes_without_a_copy_of_floats(tmp_path):
    volume = voxels(np.float32)
    form = VolumeForm(range="0.1..0.9")
    found, peak = peak_of(lambda: form.of(volume, "v.npy"))
    expected = np.clip(np.rint((volume - 0.1) * (255 / 0.8)), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(found, expected)
    assert peak < found.nbytes + ROOM * volume.nbytes


@pytest.mark.parametrize(
    "work",
    [volume_faults, volume_doubts, lambda v: to_scans(v, 16, 16), lambda v: to_cube(v, 8, 16, 16)],
    ids=["faults", "doubts", "scans", "cube"],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_what_is_done_with_a_volume(work, dtype):
    # The percentiles are those of about a million numbers, here nearly all: 8 bytes each at most.
    volume = np.tile(voxels(dtype), (8, 1, 1)) if dtype == np.uint8 else voxels(dtype)
    _, peak = peak_of(lambda: work(volume))
    assert peak < ROOM * volume.nbytes + 3 * 8 * 1_200_000

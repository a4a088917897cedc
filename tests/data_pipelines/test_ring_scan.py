"""A real B-scan: from a picture through the check to batches, as a volume of one scan.

oct_ring/bscan.png is one peripapillary ring scan of a Spectralis (496 x 768, fourth root of
intensity) from FabianRathke/octSegmentation, MIT licence beside it.
"""

import pathlib
import shutil

import numpy as np
import pytest

from data_pipelines.load import (
    ScreeningArrayStore,
    eval_cube_batches,
    eval_scan_batches,
    train_scan_batches,
)
from data_pipelines.manifest import (
    ScreeningVolume,
    check_screening_manifest,
    errors,
    read_screening_manifest,
    write_screening_manifest,
)
from data_pipelines.volumes import read_volume

RING = pathlib.Path(__file__).parent / "oct_ring" / "bscan.png"


@pytest.fixture
def manifest(tmp_path):
    scan = shutil.copy(RING, tmp_path / "ring.png")
    volume = ScreeningVolume("ring", "p1", "OD", "1", "test", scan, 0, vfi=99.0, md=-0.5, psd=1.5)
    write_screening_manifest(tmp_path / "screening.csv", [volume])
    return read_screening_manifest(tmp_path / "screening.csv")


def test_check_takes_it_for_one_b_scan(manifest):
    problems = check_screening_manifest(manifest.path, need=("eval",))
    assert not errors(problems)
    assert [p.reason for p in problems] == ["has a single slice: it is one B-scan, not a volume"]


def test_it_is_read_upright(manifest):
    volume = read_volume(manifest.volumes[0].oct)
    assert volume.shape == (1, 496, 768) and volume.dtype == np.uint8
    # Dark vitreous above, the retina in the middle, choroid below.
    top, middle = volume[0, :50].mean(), volume[0, 150:350].mean()
    assert middle > 1.5 * top


def test_it_goes_through_the_loader(manifest):
    store = ScreeningArrayStore.from_manifest(manifest, scan_size=64, cube_shape=(8, 32, 16))
    (batch,) = eval_scan_batches(store, "test", batch_size=2)
    assert batch["id"] == ["ring", ""] and batch["valid"].tolist() == [True, False]
    scan = batch["scan"][0]
    # Its own neighbour on both sides.
    assert (scan == scan[..., :1]).all() and np.ptp(scan) > 100
    assert batch["vf"][0].tolist() == [99.0, -0.5, 1.5]
    trained = next(train_scan_batches(store, "test", batch_size=1, seed=0))
    assert (trained["scan"][0] == scan).all()
    (cubes,) = eval_cube_batches(store, "test", batch_size=1)
    assert (cubes["cube"][0] == cubes["cube"][0][:1]).all()

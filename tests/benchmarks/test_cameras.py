"""Photographs of cameras of their own: what changes, what stays, and that it can be made again."""

import csv

import numpy as np
import pytest
from PIL import Image

from benchmarks import cameras
from imo_jax.labels import IGNORE

ROWS, COLUMNS = np.mgrid[:120, :160]


def disc(radius, centre=(60, 90)):
    distance = np.hypot(ROWS - centre[0], COLUMNS - centre[1])
    return ((distance <= radius).astype(np.uint8) + (distance <= radius / 2)).astype(np.uint8)


def photograph():
    """A lit half beside a black one."""
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[:, 80:] = (170, 80, 40)
    return picture


def test_another_camera_changes_what_is_lit_and_nothing_else():
    first, second = (
        cameras.photographed(photograph(), np.random.default_rng(seed)) for seed in (0, 1)
    )
    assert not first[:, :70].any() and not second[:, :70].any()
    means = [x[:, 90:].mean(axis=(0, 1)) for x in (photograph(), first, second)]
    assert min(np.abs(a - b).max() for a, b in [means[:2], means[1:], means[::2]]) > 5


def test_readers_differ_as_far_as_they_are_said_to():
    mask = disc(40)
    areas = {1: [], 2: []}
    for seed in range(60):
        drawn = cameras.outlined(mask, np.random.default_rng(seed))
        for least, of in areas.items():
            of.append(np.sqrt((drawn >= least).sum() / (mask >= least).sum()))
    # Of a radius' variance the mean over all angles has 1 / (1 + 1 + 1/4 + 1/9 + 1/16) = 0.41
    for least, spread in {1: 0.02, 2: 0.06}.items():
        assert np.mean(areas[least]) == pytest.approx(1, abs=0.01)
        assert np.std(areas[least]) == pytest.approx(0.64 * spread, rel=0.3)


def test_what_is_ignored_and_what_is_not_there_stay():
    mask = disc(30)
    mask[:, :20] = IGNORE
    drawn = cameras.outlined(mask, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn == IGNORE, mask == IGNORE)
    assert not cameras.outlined(np.zeros_like(mask), np.random.default_rng(0)).any()


@pytest.fixture
def manifest(tmp_path):
    Image.fromarray(photograph()).save(tmp_path / "eye.png")
    Image.fromarray(disc(25)).save(tmp_path / "mask.png")
    lines = ["id,patient,split,fundus,mask"]
    lines += [f"{name},p{name},{name},eye.png,mask.png" for name in ("train", "val", "test")]
    (tmp_path / "manifest.csv").write_text("\n".join([*lines, "none,p,test,eye.png,"]) + "\n")
    return tmp_path / "manifest.csv"


def test_the_same_seed_writes_the_same_set(manifest, tmp_path, capsys):
    for out in ("a", "b"):
        assert cameras.main([f"--manifest={manifest}", f"--out={tmp_path / out}"]) == 0
    assert cameras.main([f"--manifest={manifest}", f"--out={tmp_path / 'c'}", "--seed=1"]) == 0
    with (tmp_path / "a" / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["patient"], row["split"]) for row in rows] == [
        (name, f"p{name}", name) for name in ("train", "val", "test")
    ]
    for row in rows:
        for column in ("fundus", "mask"):
            a, b, c = ((tmp_path / out / row[column]).read_bytes() for out in "abc")
            assert a == b != c
    assert "| the exact masks | 0.9" in capsys.readouterr().out


def test_nothing_is_written_into_a_folder_that_holds_something(manifest, tmp_path, capsys):
    before = manifest.read_bytes()
    assert cameras.main([f"--manifest={manifest}", f"--out={tmp_path}"]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert manifest.read_bytes() == before


def test_a_manifest_without_a_test_split(manifest, tmp_path, capsys):
    manifest.write_text("id,patient,split,fundus,mask\na,p,train,eye.png,mask.png\n")
    assert cameras.main([f"--manifest={manifest}", f"--out={tmp_path / 'out'}"]) == 1
    assert "no eye with a mask in split test" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

"""The benchmark of large sets, on small ones."""

import os
import subprocess
import types

import numpy as np
import programs
import pytest

from data_pipelines.builders import large_set
from data_pipelines.builders.large_set import CASES, compare, make, voxels, write
from data_pipelines.manifest import check_manifest, read_manifest
from data_pipelines.volumes import read_volume


@pytest.fixture
def forked_starts(monkeypatch):
    """The first start is a process that begins with nothing; those after it have its libraries."""
    commands = []

    def run(command, **options):
        commands.append(command)
        if len(commands) == 1:
            return subprocess.run(command, **options)
        done = programs.run(command, os.environ, timeout=120)
        assert done.returncode == 0, done.stderr
        return done

    monkeypatch.setattr(large_set, "subprocess", types.SimpleNamespace(run=run, PIPE=subprocess.PIPE))


@pytest.mark.parametrize("kind", ["volumes", "eyes"])
def test_each_start_is_measured(tmp_path, capsys, kind, forked_starts):
    assert voxels("9,32,32") == (9, 32, 32)
    found = compare(kind, tmp_path / "set", 8, (9, 32, 32), 32, "uint16")
    assert list(found) == list(CASES)
    assert all(figures["peak_gb"] > 0.05 for figures in found.values())
    assert capsys.readouterr().out.count("prepare_s") == len(CASES)


@pytest.mark.parametrize("suffix", [".npy", ".tif", ".dcm"])
def test_a_volume_is_the_same_in_every_form(tmp_path, suffix):
    make("volumes", tmp_path, 1, (9, 32, 32), "uint16", suffix)
    make("volumes", tmp_path, 1, (9, 32, 32), "uint16")
    volume = np.load(tmp_path / "v0.npy")
    assert volume.dtype == np.uint16
    np.testing.assert_array_equal(read_volume(tmp_path / f"v0{suffix}"), volume)


def test_no_eye_is_doubted_and_a_label_is_changed(tmp_path):
    make("eyes", tmp_path, 30, (9, 32, 32))
    assert check_manifest(write("eyes", tmp_path, "first", 29), need=("train", "eval")) == []
    before = read_manifest(tmp_path / "manifest.csv").eyes
    after = read_manifest(write("eyes", tmp_path, "label", 29)).eyes
    assert [a == b for a, b in zip(before, after, strict=True)] == [False] + [True] * 28
    assert len(read_manifest(write("eyes", tmp_path, "one more", 29)).eyes) == 30

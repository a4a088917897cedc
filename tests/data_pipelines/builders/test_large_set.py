"""The benchmark of large sets, on a small one."""

import numpy as np

from data_pipelines.builders.large_set import CASES, compare, voxels


def test_each_start_is_measured(tmp_path, capsys):
    assert voxels("9,32,32") == (9, 32, 32)
    found = compare(tmp_path / "set", 8, (9, 32, 32), 32, "uint16")
    assert np.load(tmp_path / "set" / "v0.npy").dtype == np.uint16
    assert list(found) == list(CASES)
    assert all(figures["peak_gb"] > 0.05 for figures in found.values())
    assert capsys.readouterr().out.count("prepare_s") == len(CASES)

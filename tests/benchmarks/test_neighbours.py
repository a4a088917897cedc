import pathlib
import re

import numpy as np
import pytest

from benchmarks import neighbours

LINUX = pathlib.Path("/proc/self/status").exists()


@pytest.mark.skipif(not LINUX, reason="memory is read from /proc")
def test_small_run(capsys):
    arguments = ["--queries=300", "--donors=700", "--dimensions=16", "--k=2", "--sample=50"]
    assert neighbours.main(arguments) == 0
    printed = capsys.readouterr().out
    assert re.search(r"300 queries, 700 donors of 16 dimensions, k = 2, .* MB beyond", printed)
    assert "on 50 of the queries" in printed and "0 of 100 neighbours differ" in printed


def test_ties_are_no_differences():
    index, distance = np.array([[0, 1], [2, 3]]), np.array([[1.0, 2.0], [1.0, 2.0]])
    other, near = np.array([[0, 7], [2, 9]]), distance + np.array([[0, 1e-9], [0, 0.1]])
    assert neighbours.differences(index, distance, other, near) == 1


def test_descriptors_do_not_depend_on_how_many_follow():
    few, many = (neighbours.random_descriptors(n, 4, seed=0) for n in (1000, 1500))
    np.testing.assert_array_equal(few, many[:1000])
    assert (many >= 0).all() and many.std() > 0.1
    assert (neighbours.random_descriptors(10, 4, seed=1) != few[:10]).any()

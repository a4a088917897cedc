"""The benchmark of a step on several devices: what it compares, and that it runs through."""

import numpy as np
import pytest

from benchmarks.devices import LAYOUTS, difference, main, places


def test_a_difference_is_taken_of_the_largest_value():
    expected = {"a": np.array([4.0, -8.0]), "b": np.array([1.0]), "step": np.array(3)}
    found = {"a": np.array([4.0, -8.4]), "b": np.array([1.01]), "step": np.array(3)}
    assert difference(found, expected) == pytest.approx(0.05)
    assert difference(expected, expected) == 0
    with pytest.raises(AssertionError):
        difference({"a": expected["a"]}, expected)


def test_processes_know_each_other_and_one_needs_nobody():
    assert places(1) == [()]
    first, second = places(2)
    assert first[:2] == second[:2]
    assert (first[2], second[2]) == ("--process_id=0", "--process_id=1")


@pytest.mark.slow
def test_it_runs_through(capsys):
    main(["--small"])
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line[:26].strip() for line in lines] == [str(layout) for layout in LAYOUTS]
    assert all(float(line.split()[-1]) < 1e-4 for line in lines)

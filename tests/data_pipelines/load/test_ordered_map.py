"""The parallel map: order, errors, bounded look-ahead, an end."""

import itertools
import threading
import time

import pytest

from data_pipelines.load.ordered_map import ordered_map


def test_order_is_kept_though_some_take_longer():
    def slow(number):
        time.sleep(0.002 * (number % 3))
        return number * number

    assert list(ordered_map(slow, range(30), workers=4, ahead=3)) == [n * n for n in range(30)]


def test_looks_only_so_far_ahead():
    started = []
    results = ordered_map(lambda n: started.append(n) or n, itertools.count(), workers=2, ahead=3)
    assert [next(results) for _ in range(4)] == [0, 1, 2, 3]
    time.sleep(0.05)
    assert max(started) <= 4 + 2 + 3
    results.close()


def test_error_is_raised_in_its_place():
    def fail_at_three(number):
        if number == 3:
            raise KeyError("three")
        return number

    results = ordered_map(fail_at_three, range(10), workers=2, ahead=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="three"):
        next(results)


def test_closing_ends_the_threads():
    before = threading.active_count()
    results = ordered_map(lambda n: n, itertools.count(), workers=3, ahead=2)
    next(results)
    assert threading.active_count() > before
    results.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("numbers", [(0, 1), (1, -1)])
def test_senseless_numbers_are_refused(numbers):
    with pytest.raises(ValueError, match="workers"):
        next(ordered_map(str, [1], *numbers))

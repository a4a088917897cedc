"""Order: permutations by epoch, pure in (seed, index), independent of the examples' draws."""

import numpy as np
import pytest

from data_pipelines.load.order import example_generator, example_order


def test_every_epoch_is_a_permutation_and_epochs_differ():
    epochs = [[example_order(7, 3, 7 * e + p) for p in range(7)] for e in range(6)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 6


def test_any_index_is_reached_at_once():
    forward = [example_order(5, 1, i) for i in range(40)]
    assert [example_order(5, 1, i) for i in reversed(range(40))] == forward[::-1]
    assert 0 <= example_order(5, 1, 10**15) < 5


def test_the_seed_matters():
    assert [example_order(50, 0, i) for i in range(50)] != [
        example_order(50, 1, i) for i in range(50)
    ]


def test_positions_are_uniform():
    firsts = np.bincount([example_order(4, 0, 4 * epoch) for epoch in range(2000)], minlength=4)
    assert firsts.min() > 430  # 500 expected, standard deviation 19


def test_generators_of_examples_are_reproducible_and_differ():
    draws = {
        (seed, index): tuple(example_generator(seed, index).random(4))
        for seed in (0, 1, 2**64 - 1)
        for index in (0, 1, 2**40)
    }
    assert len(set(draws.values())) == len(draws)
    assert tuple(example_generator(1, 2**40).random(4)) == draws[1, 2**40]


def test_order_and_examples_do_not_share_random_numbers():
    # Epoch e and example e have the same key; their streams must differ all the same.
    shuffled = [example_order(100, 5, i) for i in range(100)]
    assert shuffled != example_generator(5, 0).permutation(100).tolist()


@pytest.mark.parametrize("arguments", [(0, 0, 0), (5, 0, -1), (5, -1, 0), (5, 2**64, 0)])
def test_what_is_out_of_range_is_refused(arguments):
    with pytest.raises(ValueError, match="empty|negative|outside"):
        example_order(*arguments)

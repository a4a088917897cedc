"""Which command lines several processes can be started with."""

import pytest

from experiments.hosts import place_problems


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (("a:1", 2, None), "give all of"),
        ((None, None, 0), "give all of"),
        (("a", 2, 0), "must be host:port"),
        ((":1234", 2, 0), "must be host:port"),
        (("a:0", 2, 0), "must be host:port"),
        (("a:65536", 2, 0), "must be host:port"),
        (("a:1234", 1, 0), "num_processes=1 must be at least 2"),
        (("a:1234", 2, 2), "process_id=2 must be 0 to 1"),
        (("a:1234", 2, -1), "process_id=-1 must be 0 to 1"),
    ],
)
def test_what_is_wrong_is_said(place, said):
    (problem,) = place_problems(*place)
    assert said in problem


def test_all_problems_at_once():
    assert len(place_problems("a", 1, 0)) == 2


@pytest.mark.parametrize("place", [("10.0.0.1:1234", 2, 0), ("[::1]:65535", 3, 2)])
def test_what_is_right_passes(place):
    assert place_problems(*place) == []

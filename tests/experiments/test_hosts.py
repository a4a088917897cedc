"""Which command lines several processes can be started with."""

import dataclasses

import pytest

from experiments import hosts
from experiments.config import RunConfig
from experiments.hosts import place_problems
from experiments.runtime import UserError


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


@pytest.mark.parametrize(
    ("settings", "ids", "said"),
    [
        ({}, ["a", "b"], None),
        ({"seed": 1}, ["a", "b"], "process 1 has other flags than process 0"),
        ({}, ["b", "a"], "process 1 has other training data than process 0"),
        ({"data": dataclasses.replace(RunConfig().data, data_root="/mnt")}, ["a", "b"], None),
    ],
)
def test_processes_of_different_runs_part(monkeypatch, settings, ids, said):
    """Process 0 has the default settings and eyes a, b; process 1 those given."""
    of_first = []
    monkeypatch.setattr(hosts.processes, "exchange", lambda text: of_first.append(text) or [text])
    hosts.refuse_differences(RunConfig(), ["a", "b"])
    monkeypatch.setattr(hosts.processes, "exchange", lambda text: [of_first.pop(0), text])
    config = dataclasses.replace(RunConfig(), **settings)
    if said is None:
        hosts.refuse_differences(config, ids)
    else:
        with pytest.raises(UserError, match=said):
            hosts.refuse_differences(config, ids)

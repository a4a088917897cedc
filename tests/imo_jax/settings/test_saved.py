"""What config.json holds: kind and form, settings of earlier versions, clear refusals."""

import dataclasses
import json

import pytest

from imo_jax.settings.saved import from_dict, from_json, kind_of, to_json


@dataclasses.dataclass(frozen=True)
class Inner:
    sizes: tuple[int, ...] = (1, 2)
    later: str = dataclasses.field(default="new", metadata={"older": "old"})


@dataclasses.dataclass(frozen=True)
class Outer:
    rate: float
    steps: int = 3
    inner: Inner = Inner()

    def __post_init__(self):
        if self.steps < 0:
            raise ValueError("steps is negative")


def test_round_trip():
    config = Outer(0.5, 4, Inner((7, 8), "mine"))
    text = json.dumps(to_json(config, "imo"))
    assert json.loads(text)["kind"] == "imo" and json.loads(text)["form"] == 3
    assert from_json(Outer, json.loads(text), "imo") == config


def test_a_setting_that_came_later_has_the_value_of_older_runs():
    assert from_dict(Outer, {"rate": 1.0, "inner": {"sizes": [3]}}) == Outer(1.0, 3, Inner((3,), "old"))
    assert from_dict(Outer, {"rate": 1.0}).inner.later == "old"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rate": 1.0, "speed": 1}, "unknown settings: speed"),
        ({"rate": 1.0, "inner": {"depth": 1}}, "unknown settings: depth"),
        ({"steps": 1}, "missing setting: rate"),
        ({"rate": "1"}, "rate is '1', want a number"),
        ({"rate": 1.0, "inner": 5}, "Inner is 5, want settings by name"),
        ({"rate": 1.0, "steps": -1}, "steps is negative"),
        ({"rate": "1", "speed": 2}, "unknown settings: speed.*; rate is '1'"),
    ],
)
def test_what_cannot_be_read_is_said(values, words):
    with pytest.raises(ValueError, match=words):
        from_dict(Outer, values)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"kind": "semt", "form": 2}, "semt"),
        ({"model": {"backbone_depths": [1]}}, "imo"),
        ({"method": "semt", "model": {"network": "resnet"}}, "semt"),
        ({"model": {"network": "unetpp"}, "objective": {"segmentation_weight": 1.0}}, "segmenter"),
        ({"model": {"network": "vit"}, "objective": {"grading_weight": 1.0}}, "grader"),
    ],
)
def test_kinds_of_both_forms(values, kind):
    assert kind_of(values) == kind


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "imo", "form": 4}, "later version"),
        ({"form": "two"}, "its form is 'two'"),
        ({"kind": "house", "form": 2}, "no settings of a run"),
        ({}, "no settings of a run"),
        ({"model": 5}, "no settings of a run"),
    ],
)
def test_what_is_no_run(values, words):
    with pytest.raises(ValueError, match=words):
        kind_of(values)


def test_a_run_of_another_program_is_named():
    with pytest.raises(ValueError, match="a run of experiments.semt, not of experiments.imo"):
        from_json(Outer, {"kind": "semt", "form": 2, "rate": 1.0}, "imo")

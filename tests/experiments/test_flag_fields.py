"""Flags from dataclasses: one definition of a setting."""

import dataclasses
import json

import pytest
from absl import flags

from experiments import flag_fields
from experiments.config import RunConfig


@dataclasses.dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    sizes: tuple[int, ...] = (1, 2)
    name: str | None = None


@dataclasses.dataclass(frozen=True)
class Outer:
    steps: int = dataclasses.field(default=3, metadata={"help": "how many"})
    fast: bool = False
    kind: str = dataclasses.field(default="a", metadata={"flag": False})
    inner: Inner = Inner()


@dataclasses.dataclass(frozen=True)
class Clash:
    rate: int = 1
    inner: Inner = Inner()


def parsed(*arguments):
    values = flags.FlagValues()
    flag_fields.define_flags(Outer, values)
    values(["program", *arguments])
    return values


def test_flags_not_given_change_nothing():
    assert flag_fields.given_flags(Outer, parsed()) == {}


def test_given_flags_reach_their_leaf_at_any_depth():
    given = flag_fields.given_flags(Outer, parsed("--rate=0.25", "--fast", "--sizes=4,5"))
    config = flag_fields.replace_leaves(Outer(), given)
    assert config == Outer(fast=True, inner=Inner(rate=0.25, sizes=(4, 5)))


def test_a_setting_that_another_one_decides_has_no_flag():
    assert "kind" not in parsed()
    assert flag_fields.replace_leaves(Outer(), {"kind": "b"}).kind == "b"


def test_false_is_given_too():
    given = flag_fields.given_flags(Outer, parsed("--nofast"))
    assert flag_fields.replace_leaves(Outer(fast=True), given).fast is False


def test_two_settings_of_one_name_are_refused():
    with pytest.raises(ValueError, match="rate"):
        list(flag_fields.leaf_fields(Clash))


def test_unknown_setting_is_refused():
    with pytest.raises(ValueError, match="speed"):
        flag_fields.replace_leaves(Outer(), {"speed": 1})


def test_json_round_trip():
    config = Outer(steps=9, inner=Inner(sizes=(7,), name="x"))
    text = json.dumps(flag_fields.to_dict(config))
    assert flag_fields.from_dict(Outer, json.loads(text)) == config


def test_from_dict_names_what_is_unknown_and_missing():
    values = flag_fields.to_dict(Outer())
    values["old"] = values.pop("fast")
    with pytest.raises(
        ValueError, match=r"unknown settings \['old'\], missing settings \['fast'\]"
    ):
        flag_fields.from_dict(Outer, values)


def test_differences_are_listed_leaf_by_leaf():
    changed = Outer(steps=4, inner=Inner(rate=1.0))
    assert flag_fields.differences(Outer(), changed) == ["steps: 3 -> 4", "rate: 0.5 -> 1.0"]
    assert flag_fields.differences(Outer(), changed, frozenset({"steps"})) == ["rate: 0.5 -> 1.0"]


@dataclasses.dataclass(frozen=True)
class Described:
    """Something.

    Attributes:
      width, height: of the picture,
        in pixels.
      depth: of it.
    """

    width: int = 1
    height: int = 1
    depth: int = 1


def test_help_comes_from_the_docstring_where_no_metadata_says_it():
    assert flag_fields.described(Described) == {
        "width": "of the picture, in pixels.",
        "height": "of the picture, in pixels.",
        "depth": "of it.",
    }


def test_every_setting_of_a_run_has_a_help_text():
    values = flags.FlagValues()
    flag_fields.define_flags(RunConfig, values)
    assert [name for name in values if not values[name].help] == []

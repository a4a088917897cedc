"""Flags from dataclasses: one definition of a setting."""

import dataclasses

from absl import flags

from experiments import flag_fields
from experiments.config import RunConfig
from imo_jax.settings.fields import replace_leaves


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


def parsed(*arguments):
    values = flags.FlagValues()
    flag_fields.define_flags(Outer, values)
    values(["program", *arguments])
    return values


def test_flags_not_given_change_nothing():
    assert flag_fields.given_flags(Outer, parsed()) == {}


def test_given_flags_reach_their_leaf_at_any_depth():
    given = flag_fields.given_flags(Outer, parsed("--rate=0.25", "--fast", "--sizes=4,5"))
    config = replace_leaves(Outer(), given)
    assert config == Outer(fast=True, inner=Inner(rate=0.25, sizes=(4, 5)))


def test_a_setting_that_another_one_decides_has_no_flag():
    assert "kind" not in parsed()
    assert replace_leaves(Outer(), {"kind": "b"}).kind == "b"


def test_false_is_given_too():
    given = flag_fields.given_flags(Outer, parsed("--nofast"))
    assert replace_leaves(Outer(fast=True), given).fast is False


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

"""Settings by name: replaced, compared, held to what their metadata say."""

import dataclasses
import math

import pytest

from imo_jax.settings.fields import (
    CONTINUE,
    EVALUATE,
    changeable,
    differences,
    leaf_fields,
    leaves,
    problems,
    replace_leaves,
)


@dataclasses.dataclass(frozen=True)
class Inner:
    rate: float = dataclasses.field(default=0.5, metadata={"above": 0, "at_most": 2})
    fast: bool = False
    sizes: tuple[int, ...] = dataclasses.field(default=(1, 2), metadata={"at_least": 1})


@dataclasses.dataclass(frozen=True)
class Outer:
    steps: int = dataclasses.field(default=3, metadata={"at_least": 1, "changes": (CONTINUE,)})
    word: str = dataclasses.field(default="a", metadata={"choices": ("a", "b")})
    name: str | None = dataclasses.field(default=None, metadata={"changes": (EVALUATE,)})
    inner: Inner = Inner()


def test_leaves_are_replaced_at_any_depth():
    config = replace_leaves(Outer(), {"steps": 4, "rate": 0.25, "sizes": ["4", "5"]})
    assert config == Outer(steps=4, inner=Inner(rate=0.25, sizes=(4, 5)))
    assert leaves(config) == {
        "steps": 4, "word": "a", "name": None, "rate": 0.25, "fast": False, "sizes": (4, 5)
    }  # fmt: skip


def test_unknown_names_and_names_of_two_settings():
    with pytest.raises(ValueError, match="unknown settings: speed"):
        replace_leaves(Outer(), {"speed": 1})

    @dataclasses.dataclass(frozen=True)
    class Clash:
        rate: float = 1.0
        inner: Inner = Inner()

    with pytest.raises(ValueError, match="two settings are named 'rate'"):
        list(leaf_fields(Clash))


def test_differences_are_named():
    changed = replace_leaves(Outer(), {"steps": 4, "rate": 1.0})
    assert differences(Outer(), changed) == ["steps: 3 -> 4", "rate: 0.5 -> 1.0"]
    assert differences(Outer(), changed, frozenset({"steps"})) == ["rate: 0.5 -> 1.0"]


def test_what_may_change_is_said_where_a_setting_is_defined():
    assert changeable(Outer, CONTINUE) == {"steps"}
    assert changeable(Outer, EVALUATE) == {"name"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"steps": 0}, "steps=0 must be at least 1"),
        ({"rate": 0.0}, "rate=0.0 must be more than 0"),
        ({"rate": 2.5}, "rate=2.5 must be at most 2"),
        ({"rate": math.nan}, "rate=nan must be finite"),
        ({"rate": math.inf}, "rate=inf must be finite"),
        ({"sizes": (3, 0)}, "sizes=0 must be at least 1"),
        ({"word": "c"}, "word='c' is none of a, b"),
    ],
)
def test_bounds_and_choices(values, words):
    assert problems(replace_leaves(Outer(), values)) == [words]
    assert problems(Outer()) == []


def test_all_problems_at_once():
    assert len(problems(replace_leaves(Outer(), {"steps": -1, "rate": -1.0, "word": "z"}))) == 3


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"steps": "3"}, "steps is '3', want a whole number"),
        ({"steps": 3.5}, "steps is 3.5, want a whole number"),
        ({"steps": True}, "steps is True, want a whole number"),
        ({"rate": "fast"}, "rate is 'fast', want a number"),
        ({"fast": 1}, "fast is 1, want true or false"),
        ({"word": 5}, "word is 5, want text"),
        ({"word": None}, "word is None, want text"),
        ({"sizes": 5}, "sizes is 5, want a list of"),
        ({"sizes": ["x"]}, "sizes: 'x' is not a whole number"),
        ({"steps": "3", "rate": "4"}, "steps is .*; rate is '4', want a number"),
    ],
)
def test_a_value_of_another_type(values, words):
    with pytest.raises(ValueError, match=words):
        replace_leaves(Outer(), values)


def test_a_whole_number_is_a_number():
    assert replace_leaves(Outer(), {"rate": 1}).inner.rate == 1

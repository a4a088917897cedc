"""Each kind of exchange between the two layouts, by hand."""

import numpy as np
import pytest

from imo_jax.weights.rules import KINDS, Rule, WeightsError, to_state, to_variables, torch_shape


def numbered(shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.mark.parametrize(
    ("kind", "torch", "torch_index", "flax", "flax_index"),
    [
        ("vector", (4,), (2,), (4,), (2,)),
        ("table", (4, 3), (2, 1), (4, 3), (2, 1)),
        ("linear", (4, 3), (2, 1), (3, 4), (1, 2)),
        ("conv", (4, 3, 2, 5), (3, 2, 1, 4), (2, 5, 3, 4), (1, 4, 2, 3)),
        ("conv", (4, 3, 2, 5, 6), (3, 2, 1, 4, 5), (2, 5, 6, 3, 4), (1, 4, 5, 2, 3)),
        ("pointwise", (4, 3, 1, 1), (3, 2, 0, 0), (3, 4), (2, 3)),
        ("depthwise", (4, 1, 2, 5), (3, 0, 1, 4), (2, 5, 4), (1, 4, 3)),
        ("channel", (4, 1, 1), (3, 0, 0), (4,), (3,)),
        ("token", (1, 1, 4), (0, 0, 3), (4,), (3,)),
        ("sequence", (1, 5, 4), (0, 4, 3), (5, 4), (4, 3)),
        ("scale", (4, 1, 1, 1), (3, 0, 0, 0), (4,), (3,)),
    ],
)
def test_kinds(kind, torch, torch_index, flax, flax_index):
    theirs = numbered(torch)
    to_flax, to_torch = KINDS[kind]
    ours = to_flax(theirs)
    assert ours.shape == flax
    assert ours[flax_index] == theirs[torch_index]
    np.testing.assert_array_equal(to_torch(ours), theirs)
    assert torch_shape(flax, kind) == torch


def test_every_kind_is_tested():
    (parameters,) = (mark.args[1] for mark in test_kinds.pytestmark if mark.name == "parametrize")
    assert set(KINDS) == {kind for kind, *_ in parameters}


RULES = [
    Rule("w", ("params", "a", "kernel"), "linear"),
    Rule("b", ("params", "a", "bias"), "vector"),
]
SHAPES = {("params", "a", "kernel"): (3, 2), ("params", "a", "bias"): (2,)}


def test_variables_are_nested_float32_and_go_back():
    state = {"w": numbered((2, 3)).astype(np.float64), "b": numbered((2,))}
    variables = to_variables(state, RULES, SHAPES)
    assert variables["params"]["a"]["kernel"].shape == (3, 2)
    assert variables["params"]["a"]["kernel"].dtype == np.float32
    back = to_state(variables, RULES)
    np.testing.assert_array_equal(back["w"], state["w"])
    np.testing.assert_array_equal(back["b"], state["b"])


def test_a_variable_without_a_rule_is_an_error():
    shapes = SHAPES | {("params", "c"): (1,)}
    with pytest.raises(WeightsError, match="no rule for params/c"):
        to_variables({"w": numbered((2, 3)), "b": numbered((2,))}, RULES, shapes)


def test_only_listed_names_are_ignored():
    state = {"w": numbered((2, 3)), "b": numbered((2,)), "head.w": numbered((1,))}
    to_variables(state, RULES, SHAPES, ignored=("head.",))
    with pytest.raises(WeightsError, match="unmatched: head.w"):
        to_variables(state, RULES, SHAPES, ignored=("tail.",))

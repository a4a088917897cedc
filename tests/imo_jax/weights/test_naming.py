"""Templates with places for numbers, and tables of them, read in both directions."""

import numpy as np
import pytest

from imo_jax.weights.naming import Naming, depths, fill, join, match, split

TABLE = Naming(
    modules={
        "first": "layers.0",
        "block{i}/conv": "layers.{2i+1}.conv",
        "block{i}/norm": "layers.{2i+2}",
        "block{i}/qkv": ("layers.{2i+1}.q", "layers.{2i+1}.k"),
    },
    arrays={"block{i}/scale": ("layers.{2i+1}.gamma", "channel")},
    heads=("head",),
    ignored=("mask",),
    prefixes=("net.",),
    aliases=((r"\.c\.", ".conv."),),
)


@pytest.mark.parametrize(
    ("template", "text", "numbers"),
    [
        ("a.{i}.b", "a.7.b", {"i": 7}),
        ("a.{i+1}", "a.1", {"i": 0}),
        ("a.{i+1}", "a.0", None),
        ("a.{2i+1}.{j}", "a.5.3", {"i": 2, "j": 3}),
        ("a.{2i+1}.{j}", "a.4.3", None),
        ("a.{i}.{i}", "a.2.2", {"i": 2}),
        ("a.{i}.{i}", "a.2.3", None),
        ("a.b", "a.b", {}),
        ("a.b", "axb", None),
        ("a.{i}", "a.1.c", None),
    ],
)
def test_templates(template, text, numbers):
    assert match(template, text) == numbers
    if numbers is not None:
        assert fill(template, numbers) == text


@pytest.mark.parametrize(
    ("path", "ndim", "name", "kind"),
    [
        (("params", "first", "kernel"), 4, "layers.0.weight", "conv"),
        (("params", "block1", "conv", "kernel"), 3, "layers.3.conv.weight", "depthwise"),
        (("params", "block1", "conv", "kernel"), 2, "layers.3.conv.weight", "linear"),
        (("params", "block0", "norm", "scale"), 1, "layers.2.weight", "vector"),
        (("batch_stats", "block0", "norm", "var"), 1, "layers.2.running_var", "vector"),
        (("params", "block2", "scale"), 1, "layers.5.gamma", "channel"),
    ],
)
def test_both_directions(path, ndim, name, kind):
    rule = TABLE.rule(path, ndim)
    assert (rule.name, rule.path, rule.kind) == (name, path, kind)
    assert TABLE.path(name) == path


def test_matrices_may_be_convolutions_there():
    table = Naming(modules={"a": "b"}, pointwise=True)
    assert table.rule(("params", "a", "kernel"), 2).kind == "pointwise"


def test_what_has_no_place():
    assert TABLE.rule(("params", "other", "kernel"), 2) is None
    assert TABLE.path("layers.0.other") is None
    assert TABLE.path("head.weight") is None
    assert TABLE.is_head("head.weight") and not TABLE.is_head("header.weight")
    assert TABLE.is_ignored("mask") and not TABLE.is_ignored("head")


def test_parts_are_joined_along_the_outputs_and_split_again():
    rule = TABLE.rule(("params", "block0", "qkv", "kernel"), 2)
    state = {"layers.1.q.weight": np.zeros((2, 3)), "layers.1.k.weight": np.ones((2, 3))}
    joined = join(state | {"x": np.ones(1)}, [rule])
    assert set(joined) == {rule.name, "x"}
    np.testing.assert_array_equal(joined[rule.name][:, 0], [0, 0, 1, 1])
    apart = split({rule.name: joined[rule.name]})
    assert apart.keys() == state.keys()
    for name in state:
        np.testing.assert_array_equal(apart[name], state[name])
        assert TABLE.path(name) == rule.path
    incomplete = {"layers.1.q.weight": np.zeros((2, 3))}
    assert join(incomplete, [rule]) == incomplete


def test_prefixes_and_aliases():
    cleaned = TABLE.clean({"net.layers.1.c.weight": 1, "head.weight": 2})
    assert cleaned == {"layers.1.conv.weight": 1, "head.weight": 2}


def test_blocks_are_counted_by_stage():
    paths = [("params", f"stage{i}_block{j}", "x") for i, j in ((0, 0), (0, 1), (1, 0))]
    assert depths([*paths, ("params", "other", "x")], "stage{i}_block{j}/x") == (2, 1)

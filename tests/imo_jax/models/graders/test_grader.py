"""Graders: the second stem, stochastic layers, other sizes, statistics, dtypes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.models.graders import SIZES, Grader
from imo_jax.weights.rules import flatten

SLOW = pytest.mark.slow


@functools.cache
def program(config, train=False):
    apply = functools.partial(Grader(config).apply, train=train)
    return jax.jit(functools.partial(apply, mutable=["batch_stats"]) if train else apply)


@pytest.mark.parametrize(
    "network", ["resnet", "convnext", "vit", "beit", pytest.param("efficientvit", marks=SLOW)]
)
def test_oct_counts_where_it_is_and_only_there(network, tiny, variables, eyes):
    config = tiny(network, with_oct=True)
    weights = variables(config)
    found = program(config)(weights, **eyes)
    assert found["grade_logits"].shape == (3, 3)
    assert found["grade_logits"].dtype == found["features"].dtype == jnp.float32
    none = program(config)(weights, **eyes | {"has_oct": np.zeros(3, bool)})
    for name in found:
        assert bool(jnp.isfinite(found[name]).all())
        np.testing.assert_array_equal(found[name][1], none[name][1])
        assert (jnp.abs(found[name] - none[name])[jnp.array([0, 2])].max(axis=1) > 1e-4).all()


def test_no_oct_is_the_network_without_its_stem(tiny, variables, eyes):
    config = tiny("vit", with_oct=True)
    weights = variables(config)
    none = program(config)(weights, **eyes | {"has_oct": np.zeros(3, bool)})
    weights = {"params": {k: v for k, v in weights["params"].items() if k != "oct_stem"}}
    without = program(tiny("vit"))(weights, **eyes)
    for name in none:
        np.testing.assert_allclose(none[name], without[name], atol=1e-5)


@pytest.mark.parametrize(
    ("network", "options"),
    [
        ("convnext", {"drop_path": 0.6}),
        ("vit", {"drop_path": 0.6}),
        ("beit", {"drop_path": 0.6}),
        ("resnet", {"dropout": 0.6}),
    ],
)
def test_rates(network, options, tiny, shapes):
    """Something is drawn where there is a rate, and an eye's key."""

    def draws(keys, **options):
        config = tiny(network, **options)
        apply = functools.partial(Grader(config).apply, train=True, mutable=["batch_stats"])
        fundus = jax.ShapeDtypeStruct((3, 32, 32, 3), jnp.float32)
        traced = jax.make_jaxpr(lambda v, x, k: apply(v, x, example_keys=k))
        return "random_bits" in str(traced(shapes(config), fundus, keys))

    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 3))
    assert draws(keys, **options)
    assert not draws(None, **options)
    assert not draws(keys, **dict.fromkeys(options, 0.0))


@pytest.mark.parametrize("network", ["vit", "beit", "efficientvit"])
def test_positions_follow_the_image(network, tiny, shapes):
    """Built for one size, it takes others, odd ones too; variables depend on the first only."""
    config = tiny(network, layout_size=96)
    apply = functools.partial(Grader(config).apply, train=False)
    fundus = jax.ShapeDtypeStruct((2, 64, 150, 3), jnp.float32)
    assert jax.eval_shape(apply, shapes(config), fundus)["grade_logits"].shape == (2, 3)
    assert shapes(config, 96) == shapes(config) != shapes(tiny(network))


@pytest.mark.slow
@pytest.mark.parametrize("network", ["resnet", "efficientvit"])
def test_batch_statistics_move_in_training_only(network, tiny, variables, eyes):
    config = tiny(network)
    weights = variables(config)
    _, moved = program(config, train=True)(weights, eyes["fundus"])
    old = flatten(weights["batch_stats"])
    for path, array in flatten(moved["batch_stats"]).items():
        assert np.abs(array - old[path]).max() > 1e-4, path


@pytest.mark.parametrize("network", SIZES)
def test_bfloat16_is_of_the_computation_only(network, tiny, shapes):
    config = tiny(network, dtype="bfloat16", with_oct=True)
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes(config))} == {jnp.dtype("float32")}
    fundus = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
    volume = jax.ShapeDtypeStruct((2, 8, 8, 4), jnp.float32)
    apply = functools.partial(Grader(config).apply, train=False)
    traced = jax.make_jaxpr(apply)(shapes(config), fundus, volume)
    assert "bf16" in str(traced)
    assert {aval.dtype for aval in traced.out_avals} == {jnp.dtype("float32")}


@pytest.mark.slow
@pytest.mark.parametrize("network", SIZES)
def test_compiled_equals_uncompiled(network, tiny, variables, eyes):
    config = tiny(network, with_oct=True)
    weights = variables(config)
    found = program(config)(weights, **eyes)
    eager = Grader(config).apply(weights, **eyes, train=False)
    for name in found:
        np.testing.assert_allclose(found[name], eager[name], rtol=1e-4, atol=1e-4)

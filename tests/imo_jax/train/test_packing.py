"""Packed parameters: where arrays lie, that nothing else changes, and what their gradient is."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict

from imo_jax.train import packing
from imo_jax.train.optimiser import OptimiserConfig, make_optimiser
from imo_jax.train.packing import decays, pack, pack_all, pack_as, unpack, unpack_all
from imo_jax.train.state import create, evaluation_variables, from_items, to_items
from imo_jax.train.weight_decay import kernels_only


def tree(seed=0, of=np):
    rng = np.random.default_rng(seed)
    shapes = {
        "stem": {"kernel": (3, 4), "bias": (4,)},
        "norm": {"scale": (4,)},
        "head": {"kernel": (256, 257), "bias": (257,)},
        "gain": (),
    }
    draw = lambda shape: of.asarray(rng.normal(size=shape).astype(np.float32))
    return jax.tree.map(draw, shapes, is_leaf=lambda x: isinstance(x, tuple))


def same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("of", [np, jnp])
def test_small_arrays_are_joined_by_whether_they_decay(of):
    given = tree(of=of)
    packed = pack(given, kernels_only)
    np.testing.assert_array_equal(packed.decayed, given["stem"]["kernel"].reshape(-1))
    scale, head_bias, bias = given["norm"]["scale"], given["head"]["bias"], given["stem"]["bias"]
    expected = np.concatenate([given["gain"].reshape(1), head_bias, scale, bias])
    np.testing.assert_array_equal(packed.undecayed, expected)
    (large,) = packed.large
    assert large is given["head"]["kernel"]  # 65,792 elements: no copy is made of it
    same(unpack(packed), given)


def test_the_limit_is_where_it_says(monkeypatch):
    monkeypatch.setattr(packing, "SMALL", 256 * 257)
    assert pack(tree(), kernels_only).large == ()
    monkeypatch.setattr(packing, "SMALL", 0)
    packed = pack(tree(), kernels_only)
    assert packed.decayed.size == packed.undecayed.size == 0
    assert len(packed.large) == 6
    same(unpack(packed), tree())


def test_numpy_arrays_come_back_as_views():
    packed = pack(tree(), kernels_only)
    assert np.shares_memory(unpack(packed)["norm"]["scale"], packed.undecayed)


def test_the_mask_says_what_the_mask_of_the_tree_says():
    packed = pack(tree(), kernels_only)
    mask = decays(packed)
    found = jax.tree.map(lambda m, x: np.full(x.shape, m), mask, packed)
    expected = jax.tree.map(lambda m, x: np.full(x.shape, m), kernels_only(tree()), tree())
    same(unpack(found), expected)


def test_gradient_is_that_of_the_tree():
    given, other = tree(of=jnp), tree(1, jnp)

    def loss(params):
        return sum(jnp.sum(jnp.sin(a) * b) for a, b in zip(*map(jax.tree.leaves, (params, other))))

    expected = jax.grad(loss)(given)
    found = jax.grad(lambda packed: loss(unpack(packed)))(pack(given, kernels_only))
    same(unpack(found), expected)
    text = jax.jit(jax.grad(lambda packed: loss(unpack(packed)))).lower(found).as_text()
    assert "stablehlo.pad" not in text  # what the transpose of slicing would be


def test_an_update_is_that_of_the_tree():
    """AdamW with decay and clipping, three steps, on the tree and on the packed tree."""
    config = OptimiserConfig(weight_decay=0.5, clip_norm=0.5)
    plain = make_optimiser(config, lambda step: 0.1, kernels_only)
    joined = make_optimiser(config, lambda step: 0.1, decays)
    params, packed = tree(of=jnp), pack(tree(of=jnp), kernels_only)
    states = [plain.init(params), joined.init(packed)]
    for seed in (1, 2, 3):
        gradient = tree(seed, jnp)
        update, states[0] = plain.update(gradient, states[0], params)
        params = optax.apply_updates(params, update)
        gradient = pack_as(packed.layout, gradient)
        update, states[1] = joined.update(gradient, states[1], packed)
        packed = optax.apply_updates(packed, update)
    for a, b in zip(*map(jax.tree.leaves, (unpack(packed), params)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def new_state(seed, keep_ema=True):
    adamw = make_optimiser(OptimiserConfig(), lambda step: 0.1, decays)
    variables = {"params": tree(seed), "batch_stats": {"norm": {"mean": np.full(4, seed, float)}}}
    state = create(variables, adamw, decay_mask=kernels_only, keep_ema=keep_ema)
    moments = jax.tree.map(lambda x: np.asarray(x) + seed, state.opt_state)
    return jax.tree.map(np.asarray, state.replace(opt_state=moments))


@pytest.mark.parametrize("keep_ema", [True, False])
def test_checkpoints_know_nothing_of_it(keep_ema):
    state = new_state(1, keep_ema)
    items = to_items(state)
    same(items["variables"]["params"], tree(1))
    names = {"/".join(path) for path in flatten_dict(items["training"]["opt_state"])}
    assert {"1/0/mu/stem/kernel", "1/0/nu/head/bias", "1/0/mu/gain"} <= names
    assert evaluation_variables(state).keys() == {"params", "batch_stats"}
    back = from_items(new_state(2, keep_ema), **items)
    same(back, state)


def test_packing_all_that_is_packed_in_a_tree():
    packed = pack(tree(), kernels_only)
    mixed = {"a": packed, "b": (np.ones(2), packed)}
    opened = unpack_all(mixed)
    same(opened["b"][1], tree())
    same(pack_all(mixed, opened), mixed)


@pytest.mark.parametrize("within", [("stem",), ("head", "kernel"), ("norm",), ("absent",)], ids=str)
def test_a_part_of_the_network_is_multiplied(within):
    """Small arrays of both kinds and large ones, each by its path and nothing else."""
    given = tree()
    found = flatten_dict(unpack(packing.multiplied(pack(given, kernels_only), within, 0.25)))
    for path, x in flatten_dict(given).items():
        factor = 0.25 if path[: len(within)] == within else 1.0
        np.testing.assert_array_equal(found[path], np.float32(factor) * x)

"""The segmenters' parts by their definitions, and what is particular to each."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from imo_jax.layers.depthwise import DepthwiseConv
from imo_jax.models.segmenters import network
from imo_jax.models.segmenters.deeplab import interleaved_grids, joined_grids
from imo_jax.models.segmenters.nmf import factorise, random_bases
from imo_jax.models.segmenters.segformer import MergeProjected
from imo_jax.models.segmenters.segnext import Hamburger
from imo_jax.models.segmenters.unetpp import max_pool_2x2
from imo_jax.models.segmenters.upernet import adaptive_average, averaging_matrix


def factorise_by_loops(x, bases, steps):
    """One matrix (N, D) and its bases (D, R), by the update rules written out."""
    codes = np.exp(x @ bases)
    codes /= codes.sum(axis=1, keepdims=True)

    def codes_updated():
        return codes * (x @ bases) / (codes @ bases.T @ bases + 1e-6)

    for _ in range(steps):
        codes = codes_updated()
        bases = bases * (x.T @ codes) / (bases @ codes.T @ codes + 1e-6)
    return codes_updated() @ bases.T


@pytest.mark.parametrize("steps", [0, 1, 6])
def test_factorisation_by_loops(steps):
    x = np.random.default_rng(0).uniform(size=(2, 12, 5))
    bases = random_bases(jax.random.split(jax.random.key(1), 2), 5, 3)
    found = jax.jit(factorise, static_argnums=2)(jnp.asarray(x, jnp.float32), bases, steps)
    for ours, matrix, start in zip(found, x, np.asarray(bases, np.float64), strict=True):
        np.testing.assert_allclose(ours, factorise_by_loops(matrix, start, steps), atol=1e-5)


def test_more_updates_come_closer_and_low_rank_is_found():
    rng = np.random.default_rng(0)
    low_rank = jnp.asarray(rng.uniform(size=(1, 40, 2)) @ rng.uniform(size=(1, 2, 6)), jnp.float32)
    bases = random_bases(jax.random.key(0)[None], 6, 2)
    go = jax.jit(factorise, static_argnums=2)
    errors = [float(jnp.abs(go(low_rank, bases, n) - low_rank).mean()) for n in (0, 5, 500)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 2e-3


def test_bases_are_of_length_one_and_of_their_key():
    keys = jax.random.split(jax.random.key(0), 3)
    bases = random_bases(keys, 7, 4)
    assert bases.shape == (3, 7, 4) and bool((bases >= 0).all())
    np.testing.assert_allclose(jnp.sum(bases**2, axis=1), np.ones((3, 4)), atol=1e-6)
    np.testing.assert_array_equal(bases[1:2], random_bases(keys[1:2], 7, 4))
    assert bool((bases[0] != bases[1]).any())


def test_bases_follow_the_keys_and_steps_the_mode(monkeypatch):
    taken = []

    def spy(x, bases, steps):
        taken.append(steps)
        return factorise(x, bases, steps)

    monkeypatch.setattr("imo_jax.models.segmenters.segnext.factorise", spy)
    rng = np.random.default_rng(0)
    x = jnp.broadcast_to(jnp.asarray(rng.normal(size=(1, 3, 4, 8)), jnp.float32), (4, 3, 4, 8))
    ham = Hamburger(rank=2, groups=2)
    like = jax.eval_shape(
        functools.partial(ham.init, train=False, example_keys=None), jax.random.key(0), x
    )
    params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), dict(like))
    taken.clear()

    @functools.partial(jax.jit, static_argnames="train")
    def run(keys, train=False):
        return ham.apply(params, x, train=train, example_keys=keys)

    plain = run(None)
    np.testing.assert_array_equal(plain, run(None))
    np.testing.assert_allclose(plain[0], plain[3], atol=1e-6)  # one draw for every example
    keys = jax.random.split(jax.random.key(0), 4)
    keyed = run(keys)
    assert float(jnp.abs(keyed[0] - keyed[3]).max()) > 1e-4
    np.testing.assert_allclose(run(keys[::-1]), keyed[::-1], atol=1e-6)
    assert float(jnp.abs(run(keys, train=True) - keyed).max()) > 1e-6
    assert taken == [7, 7, 6]


def test_averaging_windows_overlap_as_pytorch_s():
    third = 1 / 3
    np.testing.assert_allclose(
        averaging_matrix(5, 3),
        [[0.5, 0.5, 0, 0, 0], [0, third, third, third, 0], [0, 0, 0, 0.5, 0.5]],
        atol=1e-7,
    )
    np.testing.assert_array_equal(averaging_matrix(2, 4), [[1, 0], [1, 0], [0, 1], [0, 1]])
    x = jnp.arange(24.0).reshape(1, 4, 6, 1)
    np.testing.assert_allclose(adaptive_average(x, 1), [[[[11.5]]]])
    np.testing.assert_allclose(adaptive_average(x, 2)[0, :, :, 0], [[4, 7], [16, 19]], atol=1e-5)


@pytest.mark.parametrize("rate", [1, 2, 3, 5])
def test_dilation_by_interleaved_grids(rate):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 7, 4, 3)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 3)).astype(np.float32)
    layer = DepthwiseConv(3, use_bias=False)
    grids = layer.apply({"params": {"kernel": kernel}}, interleaved_grids(jnp.asarray(x), rate))
    found = joined_grids(grids, rate, x.shape[1:3])
    spread = np.zeros((2 * rate + 1, 2 * rate + 1, 3), np.float32)
    spread[::rate, ::rate] = kernel
    for image, ours in zip(x, found, strict=True):
        for c in range(3):
            expected = scipy.ndimage.correlate(image[..., c], spread[..., c], mode="constant")
            np.testing.assert_allclose(ours[..., c], expected, atol=1e-5)


def test_max_pool_by_hand():
    x = jnp.asarray([[1, 5, 2, 0, 9], [3, 4, 8, 1, 9], [9, 9, 9, 9, 9]], jnp.float32)
    np.testing.assert_array_equal(max_pool_2x2(x[None, :, :, None])[0, :, :, 0], [[5, 8]])


def test_merging_is_concatenation_coarsest_first_and_a_1x1():
    rng = np.random.default_rng(0)
    levels = [jnp.asarray(rng.normal(size=(1, n, n, c)), jnp.float32) for n, c in ((4, 2), (2, 3))]
    layer = MergeProjected(2)
    like = jax.eval_shape(layer.init, jax.random.key(0), levels)["params"]
    params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), like)
    fine, coarse = (
        np.asarray(x) @ params[f"project{i}"]["kernel"] + params[f"project{i}"]["bias"]
        for i, x in enumerate(levels)
    )
    # Bilinear from 2 to 4 rows: sources at -0.25, 0.25, 0.75, 1.25, clamped at the border.
    up = np.array([[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    coarse = np.einsum("oh,pw,bhwc->bopc", up, up, coarse)
    expected = np.concatenate([coarse, fine], axis=-1) @ params["kernel"]
    np.testing.assert_allclose(layer.apply({"params": params}, levels), expected, atol=1e-4)


def test_deep_supervision_averages_the_heads(small, drawn, inputs):
    several, one = small(network="unetpp", auxiliary=True), small(network="unetpp")

    @jax.jit
    def both(several_variables, one_variables):
        outputs = network(several).apply(several_variables, inputs[0], train=False)
        return outputs, network(one).apply(one_variables, inputs[0], train=False)["logits"]

    outputs, last = both(drawn(several), drawn(one))
    heads = [outputs["auxiliary_logits_1"], outputs["auxiliary_logits_2"]]
    np.testing.assert_allclose(outputs["logits"], (heads[0] + heads[1]) / 2, atol=1e-6)
    assert float(jnp.abs(heads[0] - heads[1]).max()) > 1e-3
    np.testing.assert_allclose(last, heads[1], atol=1e-6)

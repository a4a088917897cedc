"""Self-attention and the transformer block against their definitions in numpy."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.layers.attention import TransformerBlock, attend

TOKENS, CHANNELS, HEADS, MLP = 5, 6, 2, 7


@pytest.fixture(scope="module")
def x():
    return jax.random.normal(jax.random.key(0), (4, TOKENS, CHANNELS))


@pytest.fixture(scope="module")
def bias():
    return jax.random.normal(jax.random.key(3), (1, HEADS, TOKENS, TOKENS))


def drawn(block, x):
    shapes = jax.eval_shape(block.init, jax.random.key(1), x, None)
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda s: jnp.asarray(rng.normal(size=s.shape), jnp.float32), shapes)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_attend(x, bias):
    """Head by head, query by query."""
    q, k, v = (np.asarray(x[0]).reshape(TOKENS, HEADS, -1) * s for s in (1.0, 0.5, 2.0))
    found = attend(q[None], k[None], v[None], bias)[0]
    for h in range(HEADS):
        for n in range(TOKENS):
            scores = k[:, h] @ q[n, h] / np.sqrt(CHANNELS / HEADS) + np.asarray(bias)[0, h, n]
            np.testing.assert_allclose(found[n, h], softmax(scores) @ v[:, h], atol=1e-5)


def layer_norm(x, p, eps):
    x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps) * p["scale"] + p["bias"]


def by_definition(p, x, bias, eps):
    """The block of one example, scales where there are any."""
    erf = np.vectorize(math.erf)
    y = layer_norm(x, p["attention_norm"], eps)
    qkv = p["attention"]["qkv"]
    biases = qkv["bias"] if "bias" in qkv else np.concatenate(
        [qkv["query_bias"], np.zeros(CHANNELS), qkv["value_bias"]]
    )  # fmt: skip
    q, k, v = np.split(y @ qkv["kernel"] + biases, 3, axis=-1)
    heads = []
    for h, part in enumerate(np.split(np.arange(CHANNELS), HEADS)):
        scores = q[:, part] @ k[:, part].T / np.sqrt(len(part)) + bias[h]
        heads.append(softmax(scores) @ v[:, part])
    y = np.concatenate(heads, axis=-1) @ p["attention"]["output"]["kernel"]
    y = y + p["attention"]["output"]["bias"]
    x = x + y * p.get("attention_layer_scale", 1)
    y = layer_norm(x, p["mlp_norm"], eps) @ p["expand"]["kernel"] + p["expand"]["bias"]
    y = y * 0.5 * (1 + erf(y / np.sqrt(2)))
    y = y @ p["contract"]["kernel"] + p["contract"]["bias"]
    return x + y * p.get("mlp_layer_scale", 1)


@pytest.mark.parametrize("options", [{}, {"key_bias": False, "layer_scale": 0.1}], ids=str)
def test_block(x, bias, options):
    block = TransformerBlock(HEADS, MLP, eps=0.1, **options)
    variables = drawn(block, x)
    assert ("bias" in variables["params"]["attention"]["qkv"]) == (not options)
    found = jax.jit(block.apply)(variables, x, None, bias)
    params = jax.tree.map(np.asarray, variables["params"])
    expected = by_definition(params, np.asarray(x[1]), np.asarray(bias[0]), 0.1)
    np.testing.assert_allclose(found[1], expected, atol=1e-3, rtol=1e-4)


def test_layer_scales_start_where_they_are_told(x):
    block = TransformerBlock(HEADS, MLP, 1e-6, layer_scale=0.1)
    params = jax.jit(block.init)(jax.random.key(0), x, None)["params"]
    for name in ("attention_layer_scale", "mlp_layer_scale"):
        np.testing.assert_array_equal(params[name], np.full(CHANNELS, 0.1, np.float32))


def test_a_dropped_branch_is_the_identity(x):
    """With a rate near one nearly all examples keep neither branch."""
    block = TransformerBlock(HEADS, MLP, 1e-6, drop_path=0.5)
    variables = drawn(block, x)
    keys = jax.random.split(jax.random.key(1), 64)
    out = jax.jit(functools.partial(block.apply, variables))(jnp.repeat(x[:1], 64, axis=0), keys)
    same = np.abs(out - x[:1]).max(axis=(1, 2)) == 0
    assert 0.1 < same.mean() < 0.45  # a quarter is expected

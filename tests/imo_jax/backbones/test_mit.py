"""MiT: parameter counts, grids, its attention in plain numpy, drop-path rates."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.backbones.mit import SIZES, MiT, MiTSize, ReducedAttention

SMALL = MiTSize((1, 1, 1, 1), (4, 8, 8, 8), (1, 2, 2, 2))
DEEPER = dataclasses.replace(SMALL, depths=(1, 1, 1, 2))


def shapes(size, image=(1, 64, 64, 3)):
    image = jax.ShapeDtypeStruct(image, jnp.float32)
    return jax.eval_shape(MiT(size).init_with_output, jax.random.key(0), image)


@pytest.mark.parametrize(
    ("name", "millions"),
    # Xie et al. 2021, table 6
    [
        ("b0", 3.4),
        *(
            pytest.param(name, millions, marks=pytest.mark.slow)
            for name, millions in (("b1", 13.1), ("b2", 24.2), ("b3", 44.0), ("b4", 60.8))
        ),
    ],
)
def test_parameters(name, millions):
    _, variables = shapes(SIZES[name])
    count = sum(leaf.size for leaf in jax.tree.leaves(variables)) / 1e6
    assert abs(count - millions) < 0.1


def test_grids_are_halved_and_rounded_up():
    out, _ = shapes(SMALL, (1, 69, 96, 3))
    assert {stride: x.shape for stride, x in out.maps.items()} == {
        4: (1, 18, 24, 4), 8: (1, 9, 12, 8), 16: (1, 5, 6, 8), 32: (1, 3, 3, 8),
    }  # fmt: skip


def linear(x, p):
    return x @ p["kernel"] + p["bias"]


def test_attention_by_its_definition():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 4, 6, 4)).astype(np.float32)
    layer = ReducedAttention(heads=2, reduction=2)
    like = jax.eval_shape(layer.init, jax.random.key(0), x)["params"]
    params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), like)
    found = jax.jit(layer.apply)({"params": params}, x)

    for image, ours in zip(x, np.asarray(found), strict=True):
        queries = linear(image.reshape(24, 4), params["query"])
        patches = [
            image[i : i + 2, j : j + 2].reshape(-1) for i in (0, 2) for j in (0, 2, 4)
        ]  # rows of patches, each flattened as (2, 2, C)
        kernel = params["reduce"]["kernel"].reshape(16, 4)
        reduced = np.stack(patches) @ kernel + params["reduce"]["bias"]
        centred = reduced - reduced.mean(axis=1, keepdims=True)
        reduced = centred / np.sqrt(centred.var(axis=1, keepdims=True) + 1e-5)
        reduced = reduced * params["reduce_norm"]["scale"] + params["reduce_norm"]["bias"]
        keys, values = linear(reduced, params["key"]), linear(reduced, params["value"])
        heads = []
        for head in (slice(0, 2), slice(2, 4)):
            scores = np.exp(queries[:, head] @ keys[:, head].T / np.sqrt(2))
            heads.append(scores / scores.sum(axis=1, keepdims=True) @ values[:, head])
        expected = linear(np.concatenate(heads, axis=1), params["output"])
        np.testing.assert_allclose(ours.reshape(24, 4), expected, rtol=1e-4, atol=1e-4)


def test_rates_grow_linearly_from_zero_and_stages_have_the_dtype(drop_path_rates):
    rates = drop_path_rates("imo_jax.backbones.mit")
    image = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    net = MiT(DEEPER, drop_path=0.4, dtype=jnp.bfloat16)

    def init(key, image):
        return net.init_with_output(key, image, example_keys=key[None])

    out, _ = jax.eval_shape(init, jax.random.key(0), image)
    # Two branches a block.
    np.testing.assert_allclose(rates, np.repeat([0, 0.1, 0.2, 0.3, 0.4], 2))
    assert {stage.dtype for stage in out.maps.values()} == {jnp.dtype(jnp.bfloat16)}


def test_sizes_are_dictionary_keys():
    assert {SIZES["b0"]: 1}[dataclasses.replace(SIZES["b0"])] == 1

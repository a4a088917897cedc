"""MSCAN: grids, its attention by scipy, drop-path rates."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import scipy.ndimage

from imo_jax.backbones.mscan import LAYER_SCALE, MSCAN, MSCANSize, MultiScaleAttention

SMALL = MSCANSize((1, 1, 1, 1), (4, 4, 8, 8), (2, 2, 2, 2))
DEEPER = dataclasses.replace(SMALL, depths=(1, 1, 1, 2))


def shapes(size, image=(1, 64, 64, 3)):
    image = jax.ShapeDtypeStruct(image, jnp.float32)
    init = MSCAN(size).init_with_output
    return jax.eval_shape(lambda key, x: init(key, x, train=False), jax.random.key(0), image)


def test_grids_are_halved_and_rounded_up():
    out, _ = shapes(SMALL, (1, 69, 96, 3))
    assert {stride: x.shape for stride, x in out.maps.items()} == {
        4: (1, 18, 24, 4), 8: (1, 9, 12, 4), 16: (1, 5, 6, 8), 32: (1, 3, 3, 8),
    }  # fmt: skip


def correlated(x, kernel, bias):
    """(H, W, C) with (kh, kw, C), zeros beyond the border, by scipy."""
    maps = [
        scipy.ndimage.correlate(x[..., c], kernel[..., c], mode="constant") + bias[c]
        for c in range(x.shape[-1])
    ]
    return np.stack(maps, axis=-1)


def test_attention_by_its_definition():
    rng = np.random.default_rng(0)
    u = rng.normal(size=(2, 9, 12, 3)).astype(np.float32)
    layer = MultiScaleAttention()
    like = jax.eval_shape(layer.init, jax.random.key(0), u)["params"]
    params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), like)
    found = jax.jit(layer.apply)({"params": params}, u)

    for image, ours in zip(u, found, strict=True):
        local = correlated(image, **params["local"])
        total = local
        for k in (7, 11, 21):
            row, column = params[f"row{k}"], params[f"column{k}"]
            assert row["kernel"].shape == (1, k, 3) and column["kernel"].shape == (k, 1, 3)
            total = total + correlated(correlated(local, **row), **column)
        expected = image * (total @ params["mix"]["kernel"] + params["mix"]["bias"])
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=2e-4)


def test_rates_grow_linearly_from_zero_and_stages_have_the_dtype(drop_path_rates):
    rates = drop_path_rates("imo_jax.backbones.mscan")
    image = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    net = MSCAN(DEEPER, drop_path=0.4, dtype=jnp.bfloat16)

    def init(key, image):
        return net.init_with_output(key, image, train=False, example_keys=key[None])

    out, _ = jax.eval_shape(init, jax.random.key(0), image)
    # Two branches a block.
    np.testing.assert_allclose(rates, np.repeat([0, 0.1, 0.2, 0.3, 0.4], 2))
    assert {stage.dtype for stage in out.maps.values()} == {jnp.dtype(jnp.bfloat16)}


def test_layer_scales_start_small():
    @jax.jit
    def scales(key):
        variables = MSCAN(SMALL).init(key, jnp.zeros((1, 32, 32, 3)), train=False)
        block = variables["params"]["stage0_block0"]
        return block["attention_scale"], block["mlp_scale"]

    for scale in scales(jax.random.key(0)):
        np.testing.assert_array_equal(scale, np.full(4, LAYER_SCALE, np.float32))

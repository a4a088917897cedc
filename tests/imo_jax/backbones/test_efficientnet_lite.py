"""EfficientNet-Lite: exact parameter counts, scaling, its block and input by their definitions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.backbones.efficientnet_lite import (
    INPUT,
    SIZES,
    STAGES,
    EfficientNetLite,
    MBConv,
    scaled_channels,
    scaled_stages,
)
from imo_jax.backbones.normalisation import MEAN, STD, renormalised


@pytest.mark.parametrize(
    ("name", "expected"),
    # efficientnet-lite-pytorch's, with the classifier of 1000 classes.
    [
        ("efficientnet_lite0", 4_652_008),
        ("efficientnet_lite1", 5_416_680),
        ("efficientnet_lite2", 6_092_072),
    ],
)
def test_parameters(name, expected):
    net = EfficientNetLite(*SIZES[name], classes=1000)
    shapes = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes["params"])) == expected


def test_scaling():
    assert scaled_stages(1.0, 1.0) == STAGES
    # 24 * 1.1 = 26.4 -> 24; 40 * 1.1 = 44 -> 48 (half up); 11 would lose more than a tenth -> 16.
    assert [scaled_channels(c, 1.1) for c in (24, 40, 10)] == [24, 48, 16]
    blocks = [stage[0] for stage in scaled_stages(1.1, 1.2)]
    assert blocks == [1, 3, 3, 4, 4, 5, 1]  # ceil(1.2 n), but for the first and the last


def test_the_input_is_brought_to_the_weights_normalisation():
    pixels = np.random.default_rng(0).integers(0, 256, (1, 2, 2, 3)).astype(np.float32)
    found = renormalised(jnp.asarray((pixels - MEAN) / STD), **INPUT)
    np.testing.assert_allclose(found, (pixels - 127) / 128, atol=1e-6)


def test_a_block_of_stride_2_by_its_definition():
    """1x1, depthwise with the odd zero at the end, 1x1; ReLU6 after the first two; no residual."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 4, 6, 2)).astype(np.float32)
    block = MBConv(features=3, size=3, stride=2, expansion=2)
    apply = functools.partial(block.apply, train=False, example_keys=None, axis_name=None)
    init = functools.partial(block.init, train=False, example_keys=None, axis_name=None)
    shapes = jax.eval_shape(init, jax.random.key(0), x)
    variables = jax.tree.map(
        lambda s: rng.uniform(0.2, 2, s.shape).astype(np.float32), dict(shapes)
    )

    def normed(name, y):
        p, s = variables["params"][f"{name}_norm"], variables["batch_stats"][f"{name}_norm"]
        return (y - s["mean"]) / np.sqrt(s["var"] + 1e-3) * p["scale"] + p["bias"]

    p = variables["params"]
    y = np.clip(normed("expand", x @ p["expand"]["kernel"]), 0, 6)
    padded = np.pad(y, ((0, 0), (0, 1), (0, 1), (0, 0)))
    kernel = p["depthwise"]["kernel"]
    windows = [[padded[0, i : i + 3, j : j + 3] for j in (0, 2, 4)] for i in (0, 2)]
    y = np.einsum("yxijc,ijc->yxc", np.array(windows), kernel)
    y = normed("contract", np.clip(normed("depthwise", y), 0, 6) @ p["contract"]["kernel"])
    np.testing.assert_allclose(apply(variables, x)[0], y, rtol=1e-4, atol=1e-4)


def test_the_statistics_move_by_a_hundredth():
    block = MBConv(features=2, size=3, stride=1, expansion=1)
    x = jnp.ones((1, 3, 3, 2))
    how = {"example_keys": None, "axis_name": None}
    variables = block.init(jax.random.key(0), x, train=False, **how)
    _, moved = block.apply(variables, x, train=True, mutable=["batch_stats"], **how)
    mean = jnp.mean(
        jax.lax.conv_general_dilated(
            x, variables["params"]["depthwise"]["kernel"][:, :, None], (1, 1), "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=2,
        ),
        axis=(0, 1, 2),
    )  # fmt: skip
    found = moved["batch_stats"]["depthwise_norm"]["mean"]
    np.testing.assert_allclose(found, 0.01 * mean, rtol=1e-4)

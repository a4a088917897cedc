"""Feature pyramid and merging, against the literal definition."""

import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.layers.fpn import FeaturePyramid, MergeLevels
from imo_jax.layers.norms import GroupNorm
from imo_jax.layers.resize import bilinear, nearest


def levels(channels):
    keys = jax.random.split(jax.random.key(0), 3)
    sizes = ((8, 8), (4, 4), (2, 2))
    return [jax.random.normal(k, (1, *s, channels)) for k, s in zip(keys, sizes, strict=True)]


def test_merging_equals_upsample_concatenate_convolve():
    maps = levels(6)
    layer = MergeLevels(4, groups=2)
    variables = layer.init(jax.random.key(1), maps)
    stacked = jnp.concatenate([bilinear(m, (8, 8)) for m in maps], axis=-1)
    x = stacked @ variables["params"]["kernel"]
    expected = GroupNorm(2).apply({"params": variables["params"]["norm"]}, x)
    np.testing.assert_allclose(layer.apply(variables, maps), expected, atol=1e-5)


def test_coarse_levels_are_added_to_finer_ones():
    maps = levels(6)
    layer = FeaturePyramid(4, groups=2)
    variables = layer.init(jax.random.key(1), maps)
    p = variables["params"]

    def lateral(i):
        x = maps[i] @ p[f"lateral{i}"]["kernel"]
        return GroupNorm(2).apply({"params": p[f"lateral{i}_norm"]}, x)

    top = lateral(2)
    middle = lateral(1) + nearest(top, (4, 4))
    finest = lateral(0) + nearest(middle, (8, 8))
    convolved = jax.lax.conv_general_dilated(
        finest,
        p["level0"]["kernel"],
        (1, 1),
        ((1, 1), (1, 1)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    expected = GroupNorm(2).apply({"params": p["level0_norm"]}, convolved)
    out = layer.apply(variables, maps)
    assert [o.shape for o in out] == [(1, 8, 8, 4), (1, 4, 4, 4), (1, 2, 2, 4)]
    np.testing.assert_allclose(out[0], expected, atol=1e-5)

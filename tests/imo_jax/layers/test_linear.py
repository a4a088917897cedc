"""Linear maps and patch convolutions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.layers.linear import Linear, PatchConv


def test_linear_is_a_product_on_the_last_axis():
    layer = Linear(2)
    params = {"kernel": jnp.array([[1.0, 2.0], [3.0, 4.0]]), "bias": jnp.array([10.0, 20.0])}
    out = layer.apply({"params": params}, jnp.array([[[1.0, 1.0]]]))
    np.testing.assert_array_equal(out[0, 0], [14, 26])


@pytest.mark.parametrize("size", [(8, 12), (10, 13)])  # the second leaves a remainder
@pytest.mark.parametrize("patch", [2, 4])
def test_patch_conv_equals_a_strided_convolution(size, patch):
    layer = PatchConv(5, patch)
    x = jax.random.normal(jax.random.key(0), (2, *size, 3))
    variables = layer.init(jax.random.key(1), x)
    expected = jax.lax.conv_general_dilated(
        x,
        variables["params"]["kernel"],
        (patch, patch),
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    expected = expected + variables["params"]["bias"][None, None, None]
    np.testing.assert_allclose(layer.apply(variables, x), expected, atol=1e-5)


def test_initialisation_is_uniform_within_one_over_root_fan_in():
    params = Linear(64).init(jax.random.key(0), jnp.zeros((1, 100)))["params"]
    for value in params.values():
        assert 0.09 < float(jnp.abs(value).max()) <= 0.1
    kernel = PatchConv(64, 2).init(jax.random.key(0), jnp.zeros((1, 2, 2, 25)))["params"]["kernel"]
    assert 0.09 < float(jnp.abs(kernel).max()) <= 0.1


def test_bfloat16_computation_with_float32_parameters():
    layer = Linear(2, dtype=jnp.bfloat16)
    out, variables = layer.init_with_output(jax.random.key(0), jnp.ones((1, 3)))
    assert out.dtype == jnp.bfloat16
    assert {p.dtype for p in jax.tree.leaves(variables)} == {jnp.dtype("float32")}

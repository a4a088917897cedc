"""Convolutions of images and volumes: by hand, and the form for volumes on the CPU against XLA."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.layers import convolution
from imo_jax.layers.convolution import Conv, conv
from imo_jax.layers.plain_conv import Window, plain_conv

LINE = jnp.arange(1.0, 8.0).reshape(1, 1, 7, 1)  # one row: 1 2 3 4 5 6 7


def along_the_row(**options):
    """The row convolved with (1, 10, 100) in the middle row of a 3x3 kernel."""
    kernel = jnp.zeros((3, 3, 1, 1)).at[1, :, 0, 0].set(jnp.array([1.0, 10.0, 100.0]))
    return conv(LINE, kernel, **options)[0, 0, :, 0].tolist()


def test_a_box_kernel_counts_neighbours():
    x, kernel = jnp.ones((1, 3, 3, 1)), jnp.ones((3, 3, 1, 1))
    expected = [[4, 6, 4], [6, 9, 6], [4, 6, 4]]
    np.testing.assert_allclose(conv(x, kernel)[0, :, :, 0], expected)


def test_a_box_kernel_counts_neighbours_in_a_volume():
    found = conv(jnp.ones((1, 3, 3, 3, 1)), jnp.ones((3, 3, 3, 1, 1)))[0, ..., 0]
    assert (found[0, 0, 0], found[1, 0, 0], found[1, 1, 0], found[1, 1, 1]) == (8, 12, 18, 27)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [210, 321, 432, 543, 654, 765, 76]),
        ({"stride": 2}, [210, 432, 654, 76]),  # PyTorch's padding: centred on 1, 3, 5, 7
        ({"stride": 3}, [210, 543, 76]),
        ({"dilation": 2}, [310, 420, 531, 642, 753, 64, 75]),
        ({"padding": ((1, 1), (0, 0))}, [321, 432, 543, 654, 765]),
        ({"stride": 2, "padding": ((1, 1), (0, 1))}, [321, 543, 765]),
    ],
    ids=str,
)
def test_where_the_taps_lie(options, expected):
    assert along_the_row(**options) == expected


@pytest.mark.parametrize("shape", [(5, 6), (4, 3, 5)], ids=str)
def test_a_pointwise_kernel_is_a_matmul_of_every_second_position(shape):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, *shape, 3)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(*(1 for _ in shape), 3, 4)), jnp.float32)
    window = Window(2, 1, ((0, 0),) * len(shape))
    expected = plain_conv(window, x, kernel)
    np.testing.assert_allclose(conv(x, kernel, stride=2), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "window",
    [
        Window(1, 1, ((1, 1),) * 3),
        Window(2, 1, ((0, 1), (1, 0), (1, 2))),
        Window(1, 2, ((2, 2),) * 3),
    ],
    ids=str,
)
def test_volumes_folded_into_images_give_what_xla_gives(window):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, 5, 6, 7, 3)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(3, 3, 3, 3, 4)), jnp.float32)

    @functools.partial(jax.jit, static_argnums=0)
    def value_and_gradients(form):
        y, pullback = jax.vjp(form, x, kernel)
        return y, *pullback(jnp.sin(y))

    ours = value_and_gradients(functools.partial(convolution.folded_conv, window))
    xla = value_and_gradients(functools.partial(plain_conv, window))
    used = value_and_gradients(lambda x, kernel: conv(x, kernel, *window))
    for a, b, c in zip(ours, xla, used, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(c, b, rtol=1e-4, atol=1e-4)


def test_the_layer_s_kernel_follows_the_rank():
    for shape, kernel in (((1, 8, 8, 4), (3, 3, 4, 5)), ((1, 4, 4, 4, 4), (3, 3, 3, 4, 5))):
        params = jax.eval_shape(Conv(5, 3).init, jax.random.key(0), jnp.zeros(shape))["params"]
        assert {name: leaf.shape for name, leaf in params.items()} == {"kernel": kernel}


def test_the_layer_starts_as_pytorch_s():
    x = jnp.zeros((1, 2, 2, 2))
    params = jax.jit(Conv(40, 3, use_bias=True).init)(jax.random.key(0), x)["params"]
    bound = (3 * 3 * 2) ** -0.5
    for value in params.values():
        assert 0.9 * bound < np.abs(value).max() <= bound


def test_options_of_the_layer():
    x = np.ones((1, 8, 8, 2), np.float32)
    layer = Conv(
        3, 5, stride=2, padding=((1, 1), (2, 2)), use_bias=True, dtype=jnp.bfloat16,
        kernel_init=jax.nn.initializers.zeros, bias_init=jax.nn.initializers.ones,
    )  # fmt: skip
    y, variables = jax.jit(layer.init_with_output)(jax.random.key(0), x)
    assert y.shape == (1, 3, 4, 3) and y.dtype == jnp.bfloat16 and (np.asarray(y) == 1).all()
    assert variables["params"]["kernel"].dtype == jnp.float32
    dilated = Conv(3, 3, dilation=2, padding=((0, 0),) * 2)
    assert jax.eval_shape(dilated.init_with_output, jax.random.key(0), x)[0].shape == (1, 4, 4, 3)

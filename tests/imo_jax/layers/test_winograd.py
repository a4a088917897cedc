"""Winograd's convolution against XLA's, and where it is chosen."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from forms import value_and_gradients

from imo_jax.layers.convolution import conv
from imo_jax.layers.plain_conv import Window, plain_conv
from imo_jax.layers.winograd import LARGE, SMALL, convolved, scheme_of, suits

SAME = ((1, 1), (1, 1))
SCHEMES = pytest.mark.parametrize("scheme", [SMALL, LARGE], ids=["small", "large"])


def arrays(shape, inputs, outputs):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(*shape, inputs)), jnp.float32)
    kernel = rng.normal(size=(3, 3, inputs, outputs)) / (9 * inputs) ** 0.5
    return x, jnp.asarray(kernel, jnp.float32)


@SCHEMES
def test_the_matrices_are_of_a_convolution(scheme):
    rng = np.random.default_rng(0)
    inputs, kernel = rng.normal(size=scheme.inputs), rng.normal(size=3)
    found = scheme.to_outputs @ ((scheme.of_kernel @ kernel) * (scheme.of_inputs @ inputs))
    np.testing.assert_allclose(found, np.correlate(inputs, kernel, "valid"), rtol=0, atol=1e-13)


@SCHEMES
def test_a_line_by_hand(scheme):
    line = jnp.arange(1.0, 8.0).reshape(1, 1, 7, 1)
    kernel = jnp.zeros((3, 3, 1, 1)).at[1, :, 0, 0].set(jnp.array([1.0, 10.0, 100.0]))
    found = convolved(scheme, SAME, line, kernel)[0, 0, :, 0]
    np.testing.assert_allclose(found, [210, 321, 432, 543, 654, 765, 76], rtol=1e-5)


@pytest.mark.parametrize("padding", [SAME, ((0, 0), (0, 0)), ((2, 0), (1, 2))], ids=str)
@pytest.mark.parametrize("shape", [(2, 8, 6), (1, 5, 7), (3, 3, 4)], ids=str)
@SCHEMES
def test_it_gives_what_xla_gives(scheme, shape, padding):
    given = arrays(shape, 5, 3)
    ours = value_and_gradients(functools.partial(convolved, scheme, padding), *given)
    xla = value_and_gradients(functools.partial(plain_conv, Window(1, 1, padding)), *given)
    for a, b in zip(ours, xla, strict=True):
        assert a.shape == b.shape
        assert np.linalg.norm(a - b) <= 5e-6 * np.linalg.norm(b)


@pytest.mark.parametrize(
    ("shape", "channels"),
    [((2, 66, 64), (64, 128)), ((8, 14, 14), (128, 256))],
    ids=["large", "small"],
)
def test_a_layer_with_many_channels_uses_it_and_computes_the_same(shape, channels):
    x, kernel = arrays(shape, *channels)
    assert suits(x, kernel, 1, 1, SAME)
    used = value_and_gradients(conv, x, kernel)
    xla = value_and_gradients(functools.partial(plain_conv, Window(1, 1, SAME)), x, kernel)
    for a, b in zip(used, xla, strict=True):
        assert np.linalg.norm(a - b) <= 5e-6 * np.linalg.norm(b)


@pytest.mark.parametrize(
    ("shape", "kernel", "window"),
    [
        ((1, 512, 512, 32), (3, 3, 32, 128), (1, 1, SAME)),
        ((1, 512, 512, 128), (3, 3, 128, 32), (1, 1, SAME)),
        ((1, 16, 16, 64), (3, 3, 64, 64), (1, 1, SAME)),
        ((8, 56, 56, 64), (5, 5, 64, 64), (1, 1, ((2, 2), (2, 2)))),
        ((8, 56, 56, 64), (3, 3, 64, 64), (2, 1, SAME)),
        ((8, 56, 56, 64), (3, 3, 64, 64), (1, 2, ((2, 2), (2, 2)))),
        ((8, 56, 56, 64), (3, 3, 64, 64), (1, 1, ((3, 3), (3, 3)))),
    ],
    ids=["inputs", "outputs", "small", "kernel", "stride", "dilation", "padding"],
)
def test_what_it_is_not_for(shape, kernel, window):
    floats = functools.partial(jax.ShapeDtypeStruct, dtype=jnp.float32)
    assert not suits(floats(shape), floats(kernel), *window)


def test_half_precision_is_left_to_xla():
    x = jax.ShapeDtypeStruct((8, 56, 56, 64), jnp.bfloat16)
    assert not suits(x, jax.ShapeDtypeStruct((3, 3, 64, 64), jnp.bfloat16), 1, 1, SAME)


@pytest.mark.parametrize(
    ("shape", "scheme"),
    [
        ((8, 56, 56, 64), LARGE),
        ((8, 28, 28, 128), LARGE),
        ((8, 14, 14, 256), SMALL),  # 16 x 16 would be computed: a third for nothing
        ((8, 7, 7, 512), SMALL),
        ((4, 48, 48, 64), SMALL),  # would not earn its compiling back
        ((2, 64, 64, 256), SMALL),
    ],
    ids=lambda value: "x".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_large_squares_are_for_large_maps(shape, scheme):
    assert scheme_of(SAME, shape, shape[-1]) is scheme
    assert scheme_of(SAME, shape, 192) is SMALL

"""The first convolution of an encoder against XLA's, and where it is chosen."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from forms import assert_alike, value_and_gradients

from imo_jax.layers.convolution import algorithm, conv
from imo_jax.layers.few_inputs import few_inputs_conv
from imo_jax.layers.plain_conv import Window, plain_conv

SAME = ((3, 3), (3, 3))


def arrays(shape, size, outputs):
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(size, size, shape[-1], outputs)) / (size * size * shape[-1]) ** 0.5
    return jnp.asarray(rng.normal(size=shape), jnp.float32), jnp.asarray(kernel, jnp.float32)


@pytest.mark.parametrize("padding", [SAME, ((0, 0), (0, 0)), ((2, 3), (3, 1))], ids=str)
@pytest.mark.parametrize("shape", [(2, 12, 10, 3), (1, 9, 11, 1)], ids=str)
@pytest.mark.parametrize("size", [7, 6, 5])
def test_it_gives_what_xla_gives(size, shape, padding):
    given = arrays(shape, size, 4)
    ours = value_and_gradients(functools.partial(few_inputs_conv, padding), *given)
    xla = value_and_gradients(functools.partial(plain_conv, Window(2, 1, padding)), *given)
    assert_alike(ours, xla)


def test_the_gradient_of_a_tap_by_hand():
    """On a line 1 2 .. 8 with a zero before, outputs begin at 0, 2, 4: the second tap meets 1, 3, 5."""
    line = jnp.arange(1.0, 9.0).reshape(1, 1, 8, 1)
    padding = ((2, 2), (1, 0))
    kernel = jnp.zeros((5, 5, 1, 1))
    y, pullback = jax.vjp(functools.partial(few_inputs_conv, padding), line, kernel)
    assert y.shape == (1, 1, 3, 1)
    of_kernel = pullback(jnp.array([1.0, 10.0, 100.0]).reshape(1, 1, 3, 1))[1]
    np.testing.assert_allclose(of_kernel[2, :, 0, 0], [420, 531, 642, 753, 864])
    assert not of_kernel[jnp.array([0, 1, 3, 4])].any()


def test_a_stem_uses_it_and_computes_the_same():
    x, kernel = arrays((1, 128, 128, 3), 7, 8)
    assert algorithm(Window(2, 1, SAME), x, kernel) is few_inputs_conv
    xla = value_and_gradients(functools.partial(plain_conv, Window(2, 1, SAME)), x, kernel)
    used = value_and_gradients(lambda x, k: conv(x, k, 2), x, kernel)
    assert_alike(used, xla)


@pytest.mark.parametrize(
    ("shape", "size", "window"),
    [
        ((1, 128, 128, 8), 7, Window(2, 1, SAME)),
        ((1, 128, 128, 3), 3, Window(2, 1, ((1, 1), (1, 1)))),
        ((1, 64, 64, 3), 7, Window(2, 1, SAME)),
        ((1, 128, 128, 3), 7, Window(1, 1, SAME)),
        ((1, 128, 128, 3), 7, Window(2, 2, ((6, 6), (6, 6)))),
    ],
    ids=["inputs", "kernel", "small", "stride", "dilation"],
)
def test_others_go_elsewhere(shape, size, window):
    kernel = jax.ShapeDtypeStruct((size, size, shape[-1], 64), jnp.float32)
    assert algorithm(window, jax.ShapeDtypeStruct(shape, jnp.float32), kernel) is None

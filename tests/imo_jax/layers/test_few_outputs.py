"""The convolution to a handful of channels against XLA's, and where it is chosen."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from forms import assert_alike, value_and_gradients

from imo_jax.layers.convolution import algorithm, conv
from imo_jax.layers.few_outputs import few_outputs_conv
from imo_jax.layers.plain_conv import Window, plain_conv

SAME = ((1, 1), (1, 1))


def arrays(shape, outputs):
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 3, shape[-1], outputs)) / (9 * shape[-1]) ** 0.5
    return jnp.asarray(rng.normal(size=shape), jnp.float32), jnp.asarray(kernel, jnp.float32)


def test_a_line_by_hand():
    line = jnp.arange(1.0, 5.0).reshape(1, 1, 4, 1)
    kernel = jnp.zeros((3, 3, 1, 1)).at[1, :, 0, 0].set(jnp.array([1.0, 10.0, 100.0]))
    np.testing.assert_array_equal(
        few_outputs_conv(SAME, line, kernel)[0, 0, :, 0], [210, 321, 432, 43]
    )


@pytest.mark.parametrize("padding", [SAME, ((0, 0), (0, 0)), ((2, 0), (1, 2))], ids=str)
@pytest.mark.parametrize("shape", [(2, 8, 6, 5), (1, 3, 7, 4)], ids=str)
def test_it_gives_what_xla_gives(shape, padding):
    given = arrays(shape, 3)
    ours = value_and_gradients(functools.partial(few_outputs_conv, padding), *given)
    xla = value_and_gradients(functools.partial(plain_conv, Window(1, 1, padding)), *given)
    assert_alike(ours, xla)


def test_a_classifier_uses_it_and_computes_the_same():
    x, kernel = arrays((1, 128, 128, 16), 3)
    assert algorithm(Window(1, 1, SAME), x, kernel) is few_outputs_conv
    xla = value_and_gradients(functools.partial(plain_conv, Window(1, 1, SAME)), x, kernel)
    assert_alike(value_and_gradients(conv, x, kernel), xla)


@pytest.mark.parametrize(
    ("shape", "outputs", "window"),
    [
        ((1, 128, 128, 16), 8, Window(1, 1, SAME)),
        ((1, 128, 128, 4), 3, Window(1, 1, SAME)),
        ((1, 32, 32, 16), 3, Window(1, 1, SAME)),
        ((1, 128, 128, 16), 3, Window(2, 1, SAME)),
        ((1, 128, 128, 16), 3, Window(1, 2, ((2, 2), (2, 2)))),
        ((1, 128, 128, 16), 3, Window(1, 1, ((3, 3), (0, 0)))),
    ],
    ids=["outputs", "inputs", "small", "stride", "dilation", "zeros"],
)
def test_others_go_elsewhere(shape, outputs, window):
    x, kernel = (jax.ShapeDtypeStruct(s, jnp.float32) for s in (shape, (3, 3, shape[-1], outputs)))
    assert algorithm(window, x, kernel) is None


def test_bfloat16_goes_elsewhere():
    x, kernel = (a.astype(jnp.bfloat16) for a in arrays((1, 128, 128, 16), 3))
    assert algorithm(Window(1, 1, SAME), x, kernel) is None

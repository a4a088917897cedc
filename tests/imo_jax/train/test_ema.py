"""The average, by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.train import ema


def average(start, values, decay=0.9):
    tree = {"w": jnp.float32(100.0)}  # the initial parameters
    for k, value in enumerate(values):
        tree = ema.update(tree, {"w": jnp.float32(value)}, ema.decay_at(decay, start, jnp.int32(k)))
    return float(tree["w"])


def test_warmup_by_hand():
    # decays 1/10, 2/11: 0.1 * 100 + 0.9 * 2 = 11.8; 2/11 * 11.8 + 9/11 * 4
    assert average("warmup", [2, 4]) == pytest.approx(2 / 11 * 11.8 + 9 / 11 * 4, rel=1e-6)
    # later the decay is the full one: (1 + k) / (10 + k) passes 0.5 at k = 8
    assert float(ema.decay_at(0.5, "warmup", jnp.int32(100))) == 0.5


def test_unbiased_is_the_corrected_average():
    values = [2.0, 4.0, 8.0]
    weights = 0.9 ** np.arange(2, -1, -1)
    assert average("unbiased", values) == pytest.approx(np.average(values, weights=weights))
    assert average("unbiased", [3.0]) == pytest.approx(3.0)


def test_copy_by_hand():
    assert average("copy", [2, 4]) == pytest.approx(0.9 * (0.9 * 100 + 0.1 * 2) + 0.1 * 4)


def test_unknown_start():
    with pytest.raises(KeyError):
        ema.decay_at(0.9, "cold", jnp.int32(0))


def test_keeps_the_dtype_of_each_leaf():
    tree = {"w": jnp.ones((2,), jnp.bfloat16)}
    assert ema.update(tree, tree, jnp.float32(0.9))["w"].dtype == jnp.bfloat16

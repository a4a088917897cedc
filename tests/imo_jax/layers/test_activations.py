"""Exact GELU."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.layers.activations import gelu

X = np.linspace(-9, 9, 37, dtype=np.float32)
PHI = np.array([0.5 * (1 + math.erf(x / math.sqrt(2))) for x in X])
DENSITY = np.exp(-(X.astype(np.float64) ** 2) / 2) / math.sqrt(2 * math.pi)


def test_value_and_gradient_by_definition():
    np.testing.assert_allclose(gelu(X), X * PHI, atol=1e-6)
    np.testing.assert_allclose(jax.vmap(jax.grad(gelu))(X), PHI + X * DENSITY, atol=1e-6)


def test_it_is_not_the_tanh_approximation():
    assert float(gelu(jnp.float32(2.0))) == pytest.approx(1.9544997, abs=2e-6)
    assert float(jax.nn.gelu(2.0, approximate=True)) == pytest.approx(1.9545977, abs=2e-6)


def test_bfloat16_is_rounded_once():
    x = jnp.asarray(X, jnp.bfloat16)
    exact = gelu(x.astype(jnp.float32)).astype(jnp.bfloat16)
    np.testing.assert_array_equal(gelu(x), exact)
    assert jax.grad(lambda v: jnp.sum(gelu(v).astype(jnp.float32)))(x).dtype == jnp.bfloat16

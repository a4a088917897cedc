"""Weighted sums of rows: against numpy, and the CPU form against the plain one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.layers import mix_rows as module
from imo_jax.layers.mix_rows import (
    gradients_chunked,
    gradients_gathered,
    mix_gathered,
    mix_rows,
    mix_unrolled,
)


def arrays(n=11, d=3, m=12, k=4, dtype=jnp.float32):
    rng = np.random.default_rng(0)
    return (
        jnp.asarray(rng.normal(size=(n, d)), dtype),
        jnp.asarray(rng.integers(0, n, (m, k)), jnp.int32),
        jnp.asarray(rng.normal(size=(m, k)), jnp.float32),
        jnp.asarray(rng.normal(size=(m, d)), dtype),
    )


@pytest.mark.parametrize("form", [mix_rows, mix_gathered, mix_unrolled])
def test_against_numpy(form):
    table, index, weight, _ = arrays()
    expected = (np.asarray(table)[index] * np.asarray(weight)[..., None]).sum(axis=1)
    np.testing.assert_allclose(form(table, index, weight), expected, atol=1e-5)


@pytest.mark.parametrize("m", [12, 13, 1])  # 13: a prime has no chunks but single rows
@pytest.mark.parametrize("form", [gradients_gathered, gradients_chunked])
def test_gradients_against_automatic_ones(form, m, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_BYTES", 100)
    table, index, weight, g = arrays(m=m)

    def plain(table, weight):
        return jnp.einsum("mkd,mk->md", table[index], weight)

    expected = jax.vjp(plain, table, weight)[1](g)
    for ours, theirs in zip(form(table, index, weight, g), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_differentiation_under_jit():
    table, index, weight, g = arrays()
    loss = jax.jit(jax.grad(lambda t, w: jnp.sum(mix_rows(t, index, w) * g), argnums=(0, 1)))
    for ours, theirs in zip(
        loss(table, weight), gradients_gathered(table, index, weight, g), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_bfloat16_table():
    table, index, weight, g = arrays(dtype=jnp.bfloat16)
    for form in (mix_gathered, mix_unrolled):
        out = form(table, index, weight)
        assert out.dtype == jnp.bfloat16
        exact = mix_gathered(table.astype(jnp.float32), index, weight)
        np.testing.assert_allclose(out.astype(jnp.float32), exact, rtol=1e-2, atol=1e-2)
    for form in (gradients_gathered, gradients_chunked):
        d_table, d_weight = form(table, index, weight, g)
        assert (d_table.dtype, d_weight.dtype) == (jnp.bfloat16, jnp.float32)

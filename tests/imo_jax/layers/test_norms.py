"""Norms by hand, and PyTorch's bookkeeping of batch norm."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.layers.norms import BatchNorm, GroupNorm, LayerNorm

X = jax.random.normal(jax.random.key(0), (4, 3, 2, 6)) * 3 + 1


def run(layer, x=X, **arguments):
    variables = layer.init(jax.random.key(0), x, **arguments)
    return layer.apply(variables, x, **arguments)


@pytest.mark.parametrize("eps", [1e-6, 0.5])
def test_layer_norm(eps):
    x = np.asarray(X, np.float64)
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)
    np.testing.assert_allclose(run(LayerNorm(eps)), expected, atol=1e-5)


def test_group_norm():
    x = np.asarray(X, np.float64).reshape(4, 6, 3, 2)  # (B, H*W, groups, C / groups)
    mean, var = x.mean((1, 3), keepdims=True), x.var((1, 3), keepdims=True)
    expected = ((x - mean) / np.sqrt(var + 1e-5)).reshape(X.shape)
    np.testing.assert_allclose(run(GroupNorm(3)), expected, atol=1e-5)


def statistics(x, mask=None, **arguments):
    """(output, new running statistics) of a training call from fresh statistics (0, 1)."""
    layer = BatchNorm()
    variables = layer.init(jax.random.key(0), x, train=False)
    out, changed = layer.apply(
        variables, x, train=True, mask=mask, mutable=["batch_stats"], **arguments
    )
    return out, changed["batch_stats"]


def test_batch_norm_by_hand():
    x = jnp.array([1.0, 3.0]).reshape(2, 1, 1, 1)  # mean 2, biased variance 1, unbiased 2
    out, running = statistics(x)
    np.testing.assert_allclose(out.ravel(), [-1, 1], atol=1e-5)
    assert running["mean"][0] == pytest.approx(0.9 * 0 + 0.1 * 2)
    assert running["var"][0] == pytest.approx(0.9 * 1 + 0.1 * 2)


def test_batch_norm_s_eps_and_momentum():
    x = jnp.array([1.0, 3.0]).reshape(2, 1, 1, 1)
    layer = BatchNorm(eps=3.0, momentum=0.5)
    variables = layer.init(jax.random.key(0), x, train=False)
    out, changed = layer.apply(variables, x, train=True, mutable=["batch_stats"])
    np.testing.assert_allclose(out.ravel(), [-0.5, 0.5], atol=1e-6)  # 1 / sqrt(1 + 3)
    assert changed["batch_stats"]["mean"][0] == pytest.approx(0.5 * 0 + 0.5 * 2)
    assert changed["batch_stats"]["var"][0] == pytest.approx(0.5 * 1 + 0.5 * 2)


def test_batch_norm_of_volumes_is_that_of_their_slices():
    out, running = statistics(X)
    # (4, 3, 2, 6) -> (2, 2, 3, 2, 6): pairs of images as volumes
    of_volumes, running_of_volumes = statistics(X.reshape(2, 2, 3, 2, 6))
    np.testing.assert_allclose(of_volumes.reshape(X.shape), out, atol=1e-5)
    np.testing.assert_allclose(running_of_volumes["var"], running["var"], rtol=1e-6)


def test_evaluation_uses_running_statistics_and_keeps_them():
    layer = BatchNorm()
    variables = layer.init(jax.random.key(0), X, train=False)
    variables["batch_stats"] = {"mean": jnp.full(6, 2.0), "var": jnp.full(6, 4.0)}
    out, changed = layer.apply(variables, X, train=False, mutable=["batch_stats"])
    np.testing.assert_allclose(out, (X - 2) / np.sqrt(4 + 1e-5), atol=1e-5)
    np.testing.assert_array_equal(changed["batch_stats"]["mean"], variables["batch_stats"]["mean"])


def test_masked_examples_do_not_count_whatever_they_hold():
    mask = jnp.array([True, False, True, False])
    x = X.at[1].set(jnp.nan).at[3].set(1e9)
    out, running = statistics(x, mask)
    expected, expected_running = statistics(X[::2])
    np.testing.assert_allclose(out[::2], expected, atol=1e-5)
    np.testing.assert_allclose(running["var"], expected_running["var"], rtol=1e-6)


def test_an_empty_batch_uses_and_keeps_the_running_statistics():
    out, running = statistics(X, jnp.zeros(4, bool))
    np.testing.assert_allclose(out, X / np.sqrt(1 + 1e-5), rtol=1e-6)
    np.testing.assert_array_equal(running["mean"], jnp.zeros(6))
    np.testing.assert_array_equal(running["var"], jnp.ones(6))


def test_synchronised_over_devices_equals_the_whole_batch():
    mask = jnp.array([True, False, False, False])  # the second device has nothing
    expected, expected_running = statistics(X, mask)
    split = jax.vmap(lambda x, m: statistics(x, m, axis_name="devices"), axis_name="devices")
    # (4, ...) -> (2 devices, 2, ...)
    out, running = split(X.reshape(2, 2, 3, 2, 6), mask.reshape(2, 2))
    np.testing.assert_allclose(out.reshape(X.shape), expected, rtol=1e-5, atol=1e-5)
    for name in ("mean", "var"):
        np.testing.assert_allclose(running[name][0], expected_running[name], rtol=1e-6)
        np.testing.assert_array_equal(running[name][0], running[name][1])


def test_dtype_of_the_result_is_asked_for_and_statistics_stay_float32():
    layer = BatchNorm(dtype=jnp.bfloat16)
    x = X.astype(jnp.bfloat16)
    variables = layer.init(jax.random.key(0), x, train=False)
    out, changed = layer.apply(variables, x, train=True, mutable=["batch_stats"])
    assert out.dtype == jnp.bfloat16
    assert changed["batch_stats"]["var"].dtype == jnp.float32
    assert run(LayerNorm(1e-6, dtype=jnp.bfloat16)).dtype == jnp.bfloat16
    assert run(GroupNorm(3, dtype=jnp.bfloat16)).dtype == jnp.bfloat16

"""Time pairs, one update and the whole sampler, on toy states."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.diffusion.ddim import ddim_update, sample, sampling_times


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((3,), [(1, 1 / 3), (2 / 3, 0), (1 / 3, 0)]),  # as released
        ((3, 0), [(1, 2 / 3), (2 / 3, 1 / 3), (1 / 3, 0)]),  # t_next is the next t_now
        ((3, 2), [(1, 0), (2 / 3, 0), (1 / 3, 0)]),
        ((1,), [(1, 0)]),
        ((2, 1), [(1, 0), (1 / 2, 0)]),
        ((4, 1), [(1, 1 / 2), (3 / 4, 1 / 4), (1 / 2, 0), (1 / 4, 0)]),
        ((2, 0, 0.5), [(0.5, 0.25), (0.25, 0)]),
    ],
    ids=str,
)
def test_time_pairs(options, expected):
    times = sampling_times(*options)
    assert times.dtype == np.float32
    np.testing.assert_allclose(times, expected, atol=1e-7)


def level_of(alpha_squared):
    return np.float32(np.log(alpha_squared / (1 - alpha_squared)))


def equation_5(x_t, x0, now, following):
    """Literal, from alpha^2 before and after."""
    noise = (x_t - np.sqrt(now) * x0) / np.sqrt(1 - now)
    return np.sqrt(following) * x0 + np.sqrt(1 - following) * noise


def test_update_is_equation_5():
    # alpha 0.6, sigma 0.8 -> alpha 0.8, sigma 0.6: noise (1 - 0.6*0.5)/0.8 = 0.875
    x = ddim_update(jnp.ones(1), jnp.full(1, 0.5), level_of(0.36), level_of(0.64))
    assert float(x[0]) == pytest.approx(0.8 * 0.5 + 0.6 * 0.875, abs=1e-6)


def test_update_of_a_pytree_is_linear():
    """The coefficients of c x_T + m e move as the vector that they stand for does."""
    rng = np.random.default_rng(0)
    x_start, e = rng.normal(size=(2, 7)).astype(np.float32)
    state = {"noise": jnp.float32(0.7), "classes": jnp.float32(-0.2)}
    x0 = {"noise": jnp.float32(0.0), "classes": jnp.float32(1.3)}

    def vector(coefficients):
        return coefficients["noise"] * x_start + coefficients["classes"] * e

    moved = ddim_update(state, x0, level_of(0.2), level_of(0.7))
    expected = equation_5(vector(state), vector(x0), 0.2, 0.7)
    np.testing.assert_allclose(vector(moved), expected, rtol=1e-5, atol=1e-6)


def test_sample_hands_each_step_its_state_and_inputs():
    times = sampling_times(3)
    seen = []

    def denoise(x_t, extra):
        return 0.5 * x_t + extra, {"x_t": x_t, "extra": extra}

    extras = jnp.asarray([0.1, 0.2, 0.3])
    final, outputs = jax.jit(lambda x: sample(denoise, x, times, extras))(jnp.ones(4))

    def alpha_squared(t):
        return 1 / (1 + 1 / np.tan(np.pi / 2 * (1 - t + 5e-5) / 1.00025) ** 2)

    x = np.ones(4)
    for (now, following), extra in zip(times.astype(np.float64), [0.1, 0.2, 0.3], strict=True):
        seen.append(x)
        # The cap of the log-SNR at t = 0 moves alpha^2 by less than 1e-5.
        x = equation_5(x, 0.5 * x + extra, alpha_squared(now), alpha_squared(following))
    np.testing.assert_allclose(outputs["x_t"], seen, atol=5e-3)
    np.testing.assert_allclose(outputs["extra"], extras)
    np.testing.assert_allclose(final, x, atol=5e-3)


def test_a_perfect_denoiser_arrives_at_x0():
    x0 = jnp.asarray([1.0, -2.0])
    final, _ = sample(lambda x, _: (x0, ()), jnp.asarray([3.0, 3.0]), sampling_times(5))
    # At t = 0 alpha is 0.999995 and sigma 0.0032.
    np.testing.assert_allclose(final, x0, atol=0.05)


@pytest.mark.parametrize("options", [(4, 1, 1.0), (3, 0, 1.0), (3, 1, 0.5)], ids=str)
def test_every_option_changes_the_result(options):
    def run(*times):
        return sample(lambda x, _: (jnp.tanh(x), ()), jnp.full(1, 0.5), sampling_times(*times))[0]

    assert abs(float(run(*options)[0] - run(3, 1, 1.0)[0])) > 1e-3

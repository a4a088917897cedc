"""The forward process (eq. 4)."""

import jax.numpy as jnp
import numpy as np

from imo_jax.diffusion.forward import add_noise


def test_each_example_has_its_own_level():
    rng = np.random.default_rng(0)
    x0, noise = (rng.normal(size=(3, 2, 4)).astype(np.float32) for _ in range(2))
    levels = np.array([0.0, 20.0, np.log(9.0)], np.float32)
    x_t = add_noise(jnp.asarray(x0), jnp.asarray(noise), jnp.asarray(levels))
    np.testing.assert_allclose(x_t[0], np.sqrt(0.5) * (x0[0] + noise[0]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(x_t[1], x0[1], atol=1e-3)  # nearly clean
    # sigmoid(log 9) = 0.9
    expected = np.sqrt(0.9) * x0[2] + np.sqrt(0.1) * noise[2]
    np.testing.assert_allclose(x_t[2], expected, rtol=1e-5, atol=1e-6)


def test_keeps_the_dtype():
    x = jnp.ones((2, 3), jnp.bfloat16)
    assert add_noise(x, x, jnp.zeros(2)).dtype == jnp.bfloat16

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.layers.gradient import give_way, scale_gradient


@pytest.mark.parametrize("factor", [0.0, 0.25, 1.0])
def test_scaled_gradient_of_an_identity(factor):
    x = jnp.asarray([1.0, -2.0])
    np.testing.assert_array_equal(scale_gradient(x, factor), x)
    gradient = jax.grad(lambda v: jnp.sum(jnp.square(scale_gradient(v, factor))))(x)
    np.testing.assert_allclose(gradient, factor * 2 * x)


def test_a_gradient_that_gives_way_by_hand():
    """Example 0: (0, 3) against (1, -1): 3 of 2 along the first is taken away, (1.5, 1.5) stays.

    Example 1 does not conflict, and is the sum; in example 2 the first task says nothing.
    """
    leading = jnp.asarray([[1.0, -1.0], [1.0, 0.0], [0.0, 0.0]])
    yielding = jnp.asarray([[0.0, 3.0], [2.0, 5.0], [-1.0, 4.0]])

    def both(x):
        first, second = give_way(x)
        return jnp.sum(first * leading) + jnp.sum(second * yielding)

    expected = [[1 + 1.5, -1 + 1.5], [3.0, 5.0], [-1.0, 4.0]]
    np.testing.assert_allclose(jax.grad(both)(jnp.zeros((3, 2))), expected, atol=1e-6)
    first, second = give_way(leading)
    np.testing.assert_array_equal(first, leading)
    np.testing.assert_array_equal(second, leading)

import jax
import jax.numpy as jnp

from imo_jax.losses import Sum, add, mean


def a_sum(total, count):
    return Sum(jnp.float32(total), jnp.float32(count))


def test_add_adds_each_field():
    assert add(a_sum(1, 2), a_sum(10, 3), a_sum(100, 0)) == a_sum(111, 5)
    assert add(a_sum(1, 2)) == a_sum(1, 2)


def test_mean_divides_once():
    # One eye at loss 4, three eyes at loss 0: the mean is 1, the mean of means would be 2.
    assert mean(add(a_sum(4, 1), a_sum(0, 3))) == 1.0


def test_mean_of_nothing_is_zero_and_so_is_its_gradient():
    assert mean(a_sum(0, 0)) == 0.0
    slope = jax.grad(lambda x: mean(Sum(x, jnp.float32(0.0))))(jnp.float32(0.0))
    assert slope == 0.0

"""Operations counted against hand counts, loops in full."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.flops import count_flops

A, B = np.ones((8, 16), np.float32), np.ones((16, 4), np.float32)
PRODUCT = 2 * 8 * 16 * 4  # multiply-adds count twice


def test_a_matrix_product():
    assert count_flops(jnp.matmul, A, B) == PRODUCT
    assert count_flops(jax.jit(jnp.matmul), A, B) == PRODUCT


def test_a_convolution():
    x, kernel = np.ones((1, 8, 8, 3), np.float32), np.ones((3, 3, 3, 5), np.float32)

    def valid(x, kernel):
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    assert count_flops(valid, x, kernel) == 2 * 6 * 6 * 5 * 3 * 3 * 3


@pytest.mark.parametrize("turns", [1, 2, 7])
def test_the_body_of_a_scan_counts_as_often_as_it_runs(turns):
    square = np.eye(8, dtype=np.float32)

    def powers(x):
        return jax.lax.scan(lambda x, _: (jnp.matmul(x, square), None), x, None, length=turns)[0]

    counted = count_flops(jax.jit(powers), square)
    # XLA adds an operation or two a turn for the loop's counter.
    assert turns * 1024 <= counted <= turns * 1024 + 10


def test_scans_within_scans():
    square = np.eye(8, dtype=np.float32)

    def turn(x, _):
        return jax.lax.scan(lambda x, _: (jnp.matmul(x, square), None), x, None, length=3)[0], None

    counted = count_flops(lambda x: jax.lax.scan(turn, x, None, length=5)[0], square)
    assert 15 * 1024 <= counted <= 15 * 1024 + 100


def test_what_only_another_platform_does_is_not_counted():
    def many(x):
        return jax.lax.scan(lambda x, _: (jnp.matmul(x, x), None), x, None, length=9)[0]

    def chosen(x):
        return jax.lax.platform_dependent(x, cpu=many, default=lambda x: jnp.matmul(x, x))

    assert count_flops(jax.jit(chosen), np.eye(8, dtype=np.float32)) <= 1024 + 10

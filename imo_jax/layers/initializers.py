"""PyTorch's default initialisation of linear and convolution layers.

The released trainer never runs its initialisation hooks, so these defaults are what it trains from.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Initializer = Callable[..., jax.Array]

# kaiming_uniform(a=sqrt(5)): uniform in +-1/sqrt(fan_in), the fan of (..., in, out) kernels.
torch_kernel: Initializer = jax.nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


# kaiming_normal(mode="fan_out"), from which PyTorch's ResNets start: variance 2 / fan_out.
he_fan_out: Initializer = jax.nn.initializers.variance_scaling(2.0, "fan_out", "normal")


def uniform(bound: float) -> Initializer:
    """Uniform in [-bound, bound]."""

    def init(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


def torch_bias(fan_in: int) -> Initializer:
    """Bias of a layer whose outputs each see `fan_in` inputs: uniform in +-1/sqrt(fan_in)."""
    return uniform(fan_in**-0.5)

"""Identities whose backward pass is not one: how two tasks share the feature before them."""

import functools

import jax
import jax.numpy as jnp


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def scale_gradient(x: jax.Array, factor: float) -> jax.Array:
    """x; its gradient is multiplied by `factor` (0 stops it)."""
    return x


def _forward(x: jax.Array, factor: float) -> tuple[jax.Array, None]:
    return x, None


def _backward(factor: float, _: None, gradient: jax.Array) -> tuple[jax.Array]:
    return (gradient * jnp.asarray(factor, gradient.dtype),)


scale_gradient.defvjp(_forward, _backward)


@jax.custom_vjp
def give_way(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """x twice, for a task that leads and one that gives way.

    Of the second gradient, what points against the first is taken away, for each example alone
    (Yu et al., PCGrad, NeurIPS 2020, one-sided, at the shared feature instead of the parameters).

    Args:
      x: (B, ...).
    """
    return x, x


def _twice(x: jax.Array) -> tuple[tuple[jax.Array, jax.Array], None]:
    return (x, x), None


def _projected(_: None, gradients: tuple[jax.Array, jax.Array]) -> tuple[jax.Array]:
    leading, yielding = gradients
    axes = tuple(range(1, leading.ndim))
    product = jnp.sum(leading * yielding, axis=axes, keepdims=True)
    square = jnp.sum(jnp.square(leading), axis=axes, keepdims=True)
    against = jnp.minimum(product, 0) / jnp.maximum(square, jnp.finfo(jnp.float32).tiny)
    return (leading + yielding - against * leading,)


give_way.defvjp(_twice, _projected)

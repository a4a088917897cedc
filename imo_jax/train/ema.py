"""Exponential moving average of parameters and running statistics, used for evaluation."""

import jax
import jax.numpy as jnp

# How the average starts -> (decay, updates done before this one) -> the decay of this update.
# In each of them the first weights are not those of initialisation for long.
STARTS = {
    # The average of a fraction of the past that grows until the full window is reached.
    "warmup": lambda decay, done: jnp.minimum(decay, (1.0 + done) / (10.0 + done)),
    # Adam's bias correction, folded into the decay: (1 - d) sum_i d^(n-i) x_i / (1 - d^n).
    "unbiased": lambda decay, done: decay * (1.0 - decay**done) / (1.0 - decay ** (done + 1.0)),
    # Plain: starts as a copy of the initial parameters, which fade out as decay^n.
    "copy": lambda decay, done: jnp.full_like(done, decay),
}


def decay_at(decay: float, start: str, done: jax.Array) -> jax.Array:
    """Decay of the update that follows `done` updates (() float32, 0..1).

    Raises KeyError where `start` is none of `STARTS`.
    """
    return STARTS[start](jnp.float32(decay), done.astype(jnp.float32))


def update(average: dict, new: dict, decay: jax.Array) -> dict:
    """decay * average + (1 - decay) * new, for each leaf in the leaf's dtype."""

    def leaf(old: jax.Array, value: jax.Array) -> jax.Array:
        weight = decay.astype(old.dtype)
        return weight * old + (1 - weight) * value

    return jax.tree.map(leaf, average, new)

"""Non-negative matrix factorisation by multiplicative updates (Lee and Seung 2001), unrolled."""

import jax
import jax.numpy as jnp

EPS = 1e-6  # added to the updates' denominators


def factorise(x: jax.Array, bases: jax.Array, steps: int) -> jax.Array:
    """The low-rank part of x: what `steps` updates of both factors, and one of the codes, make.

    Geng et al. 2021, "Is attention better than matrix decomposition?", and Guo et al. 2022. All
    updates are differentiated through.

    Args:
      x: (B, N, D) float32, not negative.
      bases: (B, D, R) float32, not negative: where the bases start. The codes start from
        softmax(x bases).
      steps: at least 0.

    Returns:
      (B, N, D) float32, codes (B, N, R) times bases' (B, R, D).
    """

    def step(factors: tuple[jax.Array, jax.Array], _) -> tuple[tuple[jax.Array, jax.Array], None]:
        bases, codes = factors
        codes = updated(codes, x, bases)
        # The same rule on the transposed product: x' = bases codes'.
        return (updated(bases, x.swapaxes(1, 2), codes), codes), None

    codes = jax.nn.softmax(_product(x, bases), axis=-1)
    (bases, codes), _ = jax.lax.scan(step, (bases, codes), None, length=steps)
    return _product(updated(codes, x, bases), bases.swapaxes(1, 2))


def updated(factor: jax.Array, x: jax.Array, other: jax.Array) -> jax.Array:
    """factor * (x other) / (factor other' other), elementwise: lowers |x - factor other'|.

    Shapes: factor (B, N, R), x (B, N, D), other (B, D, R).
    """
    gram = _product(other.swapaxes(1, 2), other)
    return factor * _product(x, other) / (_product(factor, gram) + EPS)


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    """(B, i, j) x (B, j, k) -> (B, i, k), not rounded to TF32: errors multiply over the updates."""
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def random_bases(keys: jax.Array, features: int, rank: int) -> jax.Array:
    """Columns uniform in [0, 1) scaled to length 1: (B,) typed keys -> (B, features, rank)."""
    draw = jax.vmap(lambda key: jax.random.uniform(key, (features, rank), jnp.float32))(keys)
    return draw / jnp.linalg.norm(draw, axis=1, keepdims=True)

"""Dropout and drop-path whose masks follow the example, not the device it happens to lie on.

Each example brings its own key; a layer's key is that key folded with the checksum of the layer's
path. So the masks of an example are the same on one device and on eight, in any batch order.
"""

import zlib

import flax.linen as nn
import jax
import jax.numpy as jnp


def layer_keys(example_keys: jax.Array, path: tuple[str, ...]) -> jax.Array:
    """(B,) typed keys of one layer: fold_in(example key, crc32 of the module's path)."""
    salt = zlib.crc32("/".join(path).encode())
    return jax.vmap(lambda key: jax.random.fold_in(key, salt))(example_keys)


def _keep(example_keys: jax.Array, path: tuple[str, ...], rate: float, shape) -> jax.Array:
    """(B, *shape) bool, True with probability 1 - rate."""
    keys = layer_keys(example_keys, path)
    return jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate, shape))(keys)


class Dropout(nn.Module):
    """Zeroes single values with probability `rate` and scales the rest by 1 / (1 - rate)."""

    rate: float

    @nn.compact
    def __call__(self, x: jax.Array, example_keys: jax.Array | None) -> jax.Array:
        """x: (B, ...); example_keys: (B,) typed keys, or None for the identity."""
        if example_keys is None or self.rate == 0:
            return x
        keep = _keep(example_keys, self.path, self.rate, x.shape[1:])
        return jnp.where(keep, x / (1 - self.rate), jnp.zeros_like(x))


class DropPath(nn.Module):
    """Zeroes a residual branch for whole examples (stochastic depth, Huang et al. 2016)."""

    rate: float

    @nn.compact
    def __call__(self, x: jax.Array, example_keys: jax.Array | None) -> jax.Array:
        """x: (B, ...); example_keys: (B,) typed keys, or None for the identity."""
        if example_keys is None or self.rate == 0:
            return x
        # (B,) -> (B, 1, ..., 1)
        keep = _keep(example_keys, self.path, self.rate, ()).reshape((-1,) + (1,) * (x.ndim - 1))
        return jnp.where(keep, x / (1 - self.rate), jnp.zeros_like(x))

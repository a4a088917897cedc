"""Layer, group and batch normalisation with PyTorch's definitions; statistics in float32."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers.initializers import Initializer


def _affine(
    module: nn.Module, channels: int, scale_init: Initializer = nn.initializers.ones
) -> tuple[jax.Array, jax.Array]:
    scale = module.param("scale", scale_init, (channels,), jnp.float32)
    bias = module.param("bias", nn.initializers.zeros, (channels,), jnp.float32)
    return scale, bias


def _channelwise(vector: jax.Array, ndim: int) -> jax.Array:
    """(C,) -> (1, ..., 1, C) with `ndim` axes."""
    return vector.reshape((1,) * (ndim - 1) + (-1,))


class LayerNorm(nn.Module):
    """Normalises the last axis. `eps` has no default: the released model uses two values."""

    eps: float
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        scale, bias = (_channelwise(v, x.ndim) for v in _affine(self, x.shape[-1]))
        x = x.astype(jnp.float32)
        centred = x - jnp.mean(x, axis=-1, keepdims=True)
        variance = jnp.mean(jnp.square(centred), axis=-1, keepdims=True)
        return (centred * jax.lax.rsqrt(variance + self.eps) * scale + bias).astype(self.dtype)


class GroupNorm(nn.Module):
    """Normalises each example's groups of neighbouring channels over all positions; eps 1e-5."""

    groups: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        scale, bias = (_channelwise(v, x.ndim) for v in _affine(self, channels))
        x = x.astype(jnp.float32)
        # Statistics per channel first, then over each group's channels: reductions stay on
        # whole rows of channels and nothing is reshaped at full size.
        mean = self._group_mean(jnp.mean(x, axis=(1, 2)))
        centred = x - mean[:, None, None, :]
        variance = self._group_mean(jnp.mean(jnp.square(centred), axis=(1, 2)))
        inverse = jax.lax.rsqrt(variance + 1e-5)[:, None, None, :]
        return (centred * (inverse * scale) + bias).astype(self.dtype)

    def _group_mean(self, per_channel: jax.Array) -> jax.Array:
        """(B, C) means per channel -> (B, C), each channel holding the mean of its group."""
        batch, channels = per_channel.shape
        # (B, C) -> (B, groups, C / groups) -> (B, groups, 1)
        grouped = per_channel.reshape(batch, self.groups, -1).mean(axis=-1, keepdims=True)
        return jnp.repeat(grouped, channels // self.groups, axis=-1).reshape(batch, channels)


class BatchNorm(nn.Module):
    """Batch normalisation over all axes but the last, with PyTorch's bookkeeping.

    Normalises with the biased variance, keeps running statistics of the unbiased variance.
    Collection "batch_stats": `mean` and `var`, float32.

    Attributes:
      eps: added to the variance.
      momentum: weight of the new batch in the running statistics (Keras counts the old one's).
      dtype: of the result.
      scale_init: of the scale; zeros make a residual branch start as nothing.
    """

    eps: float = 1e-5
    momentum: float = 0.1
    dtype: jnp.dtype = jnp.float32
    scale_init: Initializer = nn.initializers.ones

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        *,
        train: bool,
        mask: jax.Array | None = None,
        axis_name: str | None = None,
    ) -> jax.Array:
        """Normalises x.

        Args:
          x: (B, ..., C).
          train: use the batch's statistics and move the running ones.
          mask: (B,) bool, the examples that count; None = all. Where none counts, the running
            statistics are used, and kept as they are.
          axis_name: devices over whose examples the statistics are summed (synchronised).
        """
        channels = x.shape[-1]
        affine = _affine(self, channels, self.scale_init)
        scale, bias = (_channelwise(v, x.ndim) for v in affine)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, (channels,), jnp.float32)
        running_var = self.variable("batch_stats", "var", jnp.ones, (channels,), jnp.float32)
        x = x.astype(jnp.float32)
        mean, variance = running_mean.value, running_var.value
        if train:
            batch_mean, batch_variance, count = _batch_statistics(x, mask, axis_name)
            some = count > 0
            mean = jnp.where(some, batch_mean, mean)
            variance = jnp.where(some, batch_variance, variance)
            if not self.is_initializing():
                unbiased = batch_variance * (count / jnp.maximum(count - 1, 1))
                momentum = jnp.where(some, self.momentum, 0.0).astype(jnp.float32)
                running_mean.value += momentum * (batch_mean - running_mean.value)
                running_var.value += momentum * (unbiased - running_var.value)
        inverse = _channelwise(jax.lax.rsqrt(variance + self.eps), x.ndim) * scale
        return ((x - _channelwise(mean, x.ndim)) * inverse + bias).astype(self.dtype)


def _batch_statistics(
    x: jax.Array, mask: jax.Array | None, axis_name: str | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Mean (C,), biased variance (C,) and number of values a channel of the counting examples."""
    batch, *positions, _ = x.shape
    weight = jnp.ones((batch,), jnp.float32) if mask is None else mask.astype(jnp.float32)
    # (B,) -> (B, 1, ..., 1)
    weight = weight.reshape(-1, *(1,) * (x.ndim - 1))
    axes = tuple(range(x.ndim - 1))

    def total(values: jax.Array) -> jax.Array:
        return values if axis_name is None else jax.lax.psum(values, axis_name)

    count = total(jnp.sum(weight) * math.prod(positions))
    divisor = jnp.maximum(count, 1)
    # where, not only a product: a missing example may hold anything, NaN included.
    x = jnp.where(weight > 0, x, 0.0)
    mean = total(jnp.sum(x, axis=axes)) / divisor
    centred = (x - _channelwise(mean, x.ndim)) * weight
    variance = total(jnp.sum(jnp.square(centred), axis=axes)) / divisor
    return mean, variance, count

"""Multi-head self-attention and the transformer block of ViT and BEiT."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers.activations import gelu
from imo_jax.layers.linear import Linear, linear
from imo_jax.layers.norms import LayerNorm
from imo_jax.layers.stochastic import DropPath

TRUNCATED = nn.initializers.truncated_normal(0.02)
ZEROS = nn.initializers.zeros


def attend(
    query: jax.Array, key: jax.Array, value: jax.Array, bias: jax.Array | None = None
) -> jax.Array:
    """softmax(q k / sqrt(D) + bias) v for each head; the softmax in float32.

    Args:
      query: (B, N, heads, D).
      key: (B, M, heads, D).
      value: (B, M, heads, V).
      bias: (1, heads, N, M) float32.

    Returns:
      (B, N, heads, V) in value's dtype.
    """
    # (B, N, h, D) x (B, M, h, D) -> (B, h, N, M)
    scores = jnp.einsum("bnhd,bmhd->bhnm", query, key, preferred_element_type=jnp.float32)
    scores = scores * query.shape[-1] ** -0.5
    if bias is not None:
        scores = scores + bias
    weights = nn.softmax(scores, axis=-1).astype(value.dtype)
    # (B, h, N, M) x (B, M, h, V) -> (B, N, h, V)
    return jnp.einsum("bhnm,bmhv->bnhv", weights, value)


class QueryKeyValue(nn.Module):
    """The three linear maps of self-attention as one: (B, N, C) -> (B, N, 3 C).

    Attributes:
      key_bias: False leaves the keys without a bias, as BEiT does; a softmax is blind to it.
      dtype: of the computation.
    """

    key_bias: bool
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        kernel = self.param("kernel", TRUNCATED, (channels, 3 * channels), jnp.float32)
        if self.key_bias:
            bias = self.param("bias", ZEROS, (3 * channels,), jnp.float32)
        else:
            query_bias = self.param("query_bias", ZEROS, (channels,), jnp.float32)
            value_bias = self.param("value_bias", ZEROS, (channels,), jnp.float32)
            bias = jnp.concatenate([query_bias, jnp.zeros_like(query_bias), value_bias])
        return linear(x, kernel, bias, self.dtype)


class SelfAttention(nn.Module):
    """Multi-head self-attention of tokens; adds no residual.

    Attributes:
      heads: they share the channels.
      key_bias: see `QueryKeyValue`.
      dtype: of the computation.
    """

    heads: int
    key_bias: bool = True
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, bias: jax.Array | None = None) -> jax.Array:
        """x: (B, N, C), bias: (1, heads, N, N) or None -> (B, N, C)."""
        batch, tokens, channels = x.shape
        qkv = QueryKeyValue(self.key_bias, self.dtype, name="qkv")(x)
        # (B, N, 3 C) -> (B, N, 3, heads, C / heads)
        qkv = qkv.reshape(batch, tokens, 3, self.heads, -1)
        y = attend(qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2], bias)
        # (B, N, heads, C / heads) -> (B, N, C)
        y = y.reshape(batch, tokens, channels)
        return Linear(
            channels, kernel_init=TRUNCATED, bias_init=ZEROS, dtype=self.dtype, name="output"
        )(y)


class TransformerBlock(nn.Module):
    """x + scale1 attention(LN x), then x + scale2 W2 gelu(W1 LN x); norms with eps.

    Attributes:
      heads: of the attention.
      mlp: hidden channels.
      eps: of the norms.
      key_bias: see `QueryKeyValue`.
      layer_scale: from which the two scales start; None = there are none.
      drop_path: rate of either branch, see `stochastic.DropPath`.
      dtype: of the computation.
    """

    heads: int
    mlp: int
    eps: float
    key_bias: bool = True
    layer_scale: float | None = None
    drop_path: float = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: jax.Array, example_keys: jax.Array | None, bias: jax.Array | None = None
    ) -> jax.Array:
        """x: (B, N, C), bias: (1, heads, N, N) or None -> (B, N, C)."""
        channels = x.shape[-1]
        y = LayerNorm(self.eps, dtype=self.dtype, name="attention_norm")(x)
        y = SelfAttention(self.heads, self.key_bias, self.dtype, name="attention")(y, bias)
        y = self._scaled(y, "attention_layer_scale")
        x = x + DropPath(self.drop_path, name="attention_drop_path")(y, example_keys)

        dense = {"kernel_init": TRUNCATED, "bias_init": ZEROS, "dtype": self.dtype}
        y = LayerNorm(self.eps, dtype=self.dtype, name="mlp_norm")(x)
        y = gelu(Linear(self.mlp, name="expand", **dense)(y))
        y = Linear(channels, name="contract", **dense)(y)
        y = self._scaled(y, "mlp_layer_scale")
        return x + DropPath(self.drop_path, name="mlp_drop_path")(y, example_keys)

    def _scaled(self, x: jax.Array, name: str) -> jax.Array:
        """x times a learned scale a channel."""
        if self.layer_scale is None:
            return x
        start = nn.initializers.constant(self.layer_scale)
        scale = self.param(name, start, x.shape[-1:], jnp.float32)
        return x * scale.astype(self.dtype)[None, None]

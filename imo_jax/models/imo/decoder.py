"""The denoising decoder: fusion with x_t, deformable layers modulated by the noise level."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers import initializers
from imo_jax.layers.activations import gelu
from imo_jax.layers.deformable import DeformableAttention
from imo_jax.layers.linear import Linear, linear
from imo_jax.layers.norms import LayerNorm
from imo_jax.layers.time_embedding import TimeEmbedding
from imo_jax.models.imo.config import IMOConfig


class Fusion(nn.Module):
    """1x1 convolution of [feature, x_t], split in two halves so that each can be taken alone."""

    config: IMOConfig

    def setup(self) -> None:
        dim = self.config.feature_dim
        self.kernel = self.param("kernel", initializers.torch_kernel, (2 * dim, dim), jnp.float32)
        self.bias = self.param("bias", initializers.torch_bias(2 * dim), (dim,), jnp.float32)

    def of_feature(self, feature: jax.Array) -> jax.Array:
        """W_f feature + bias; feature (..., C)."""
        return linear(
            feature, self.kernel[: self.config.feature_dim], self.bias, self.config.compute_dtype
        )

    def of_state(self, x_t: jax.Array) -> jax.Array:
        """W_x x_t; x_t (..., C)."""
        return linear(x_t, self.kernel[self.config.feature_dim :], None, self.config.compute_dtype)


class NoiseLevel(nn.Module):
    """What the decoder needs to know of the noise level: scale and shift for each layer."""

    config: IMOConfig

    def setup(self) -> None:
        c = self.config
        self.embedding = TimeEmbedding(c.time_frequencies, c.time_dim, c.compute_dtype)
        self.film = [
            Linear(2 * c.feature_dim, dtype=c.compute_dtype) for _ in range(c.decoder_layers)
        ]

    def embed(self, log_snr: jax.Array) -> jax.Array:
        """(N,) float32 -> (N, time_dim)."""
        return self.embedding(log_snr)

    def __call__(self, log_snr: jax.Array) -> jax.Array:
        """(N,) float32 -> (N, decoder_layers, 2, C): scale and shift of every layer."""
        hidden = nn.silu(self.embed(log_snr))
        # list of (N, 2C) -> (N, layers, 2C) -> (N, layers, 2, C)
        stacked = jnp.stack([film(hidden) for film in self.film], axis=1)
        return stacked.reshape(*stacked.shape[:2], 2, self.config.feature_dim)


class DecoderLayer(nn.Module):
    """x + MSDA, LN, + FFN, LN; then x (1 + scale) + shift."""

    config: IMOConfig

    @nn.compact
    def __call__(self, x: jax.Array, film: jax.Array | None) -> jax.Array:
        """x: (B, h, w, C); film: (B, 2, C) scale and shift, None = no modulation."""
        c = self.config
        dtype = c.compute_dtype
        attention = DeformableAttention(c.decoder_heads, c.decoder_points, dtype, name="attention")
        x = LayerNorm(1e-5, dtype, name="attention_norm")(x + attention(x))
        y = gelu(Linear(c.decoder_mlp, dtype=dtype, name="expand")(x))
        y = Linear(c.feature_dim, dtype=dtype, name="contract")(y)
        x = LayerNorm(1e-5, dtype, name="mlp_norm")(x + y)
        if film is None:
            return x
        scale, shift = film[:, 0, None, None, :], film[:, 1, None, None, :]
        return x * (1 + scale) + shift


class SegmentationHead(nn.Module):
    """Depthwise 1x1 (bias), then 1x1 to the classes (bias), taken as the one 1x1 that they are."""

    num_classes: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, h, w, C) -> logits (B, h, w, num_classes) float32."""
        channels = x.shape[-1]
        unit = initializers.torch_bias(1)  # a depthwise 1x1 has a fan-in of one
        scale = self.param("scale", unit, (channels,), jnp.float32)
        shift = self.param("shift", unit, (channels,), jnp.float32)
        kernel = self.param(
            "kernel", initializers.torch_kernel, (channels, self.num_classes), jnp.float32
        )
        bias = self.param(
            "bias", initializers.torch_bias(channels), (self.num_classes,), jnp.float32
        )
        # W (s x + t) + b = (W s) x + (W t + b)
        merged_bias = shift @ kernel + bias
        return linear(x, scale[:, None] * kernel, merged_bias, jnp.float32)


class Decoder(nn.Module):
    """Decoder layers and the segmentation head."""

    config: IMOConfig

    @nn.compact
    def __call__(self, x: jax.Array, film: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        """x: (B, h, w, C); film: (B, layers, 2, C) -> logits and features at the grid's stride.

        Logits are (B, h, w, num_classes) float32, the features that they are made of (B, h, w, C).
        """
        c = self.config
        for i in range(c.decoder_layers):
            layer = DecoderLayer(c, name=f"layer{i}")
            x = layer(x, None if film is None else film[:, i])
        return SegmentationHead(c.num_classes, name="head")(x), x

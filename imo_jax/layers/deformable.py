"""Deformable attention on one feature level (Zhu et al. 2021), without custom kernels."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.layers.linear import Linear, linear
from imo_jax.layers.mix_rows import mix_rows
from imo_jax.layers.positions import axis_encoding


def sample_weighted(value: jax.Array, x: jax.Array, y: jax.Array, weight: jax.Array) -> jax.Array:
    """Weighted sum of bilinear samples, zero outside the grid.

    Args:
      value: (B, H, W, heads, D).
      x, y: (B, Q, heads, P) float32 pixel coordinates; (0, 0) is the centre of the first pixel.
      weight: (B, Q, heads, P) float32.

    Returns:
      (B, Q, heads, D) in value's dtype: sum over P of weight times the sample.
    """
    batch, height, width, heads, depth = value.shape
    queries = x.shape[1]
    index, corner_weight = _corners(x, y, weight, (height, width))
    # A border of zeros: a location at the edge then has all its four corners in the table.
    padded = jnp.pad(value, ((0, 0), (1, 1), (1, 1), (0, 0), (0, 0)))
    # (B, H+2, W+2, heads, D) -> (B*(H+2)*(W+2)*heads, D): a row is one head at one pixel.
    table = padded.reshape(-1, depth)
    # (B, Q, heads, P, 4) -> (B*Q*heads, P*4)
    rows = batch * queries * heads
    out = mix_rows(table, index.reshape(rows, -1), corner_weight.reshape(rows, -1))
    return out.reshape(batch, queries, heads, depth)


def _corners(
    x: jax.Array, y: jax.Array, weight: jax.Array, size: tuple[int, int]
) -> tuple[jax.Array, jax.Array]:
    """Row in the padded table and weight of the four pixels around each location.

    Both (B, Q, heads, P, 4). A location whose four pixels all lie outside has weight zero.
    """
    height, width = size
    batch, _, heads, _ = x.shape
    x0, y0 = jnp.floor(x), jnp.floor(y)
    near = (x0 >= -1) & (x0 < width) & (y0 >= -1) & (y0 < height)
    weight = jnp.where(near, weight, 0.0)
    fx, fy = x - x0, y - y0
    area = jnp.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy], axis=-1)
    column = jnp.clip(x0, -1, width - 1).astype(jnp.int32) + 1
    row = jnp.clip(y0, -1, height - 1).astype(jnp.int32) + 1
    example = jnp.arange(batch, dtype=jnp.int32)[:, None, None, None]
    head = jnp.arange(heads, dtype=jnp.int32)[None, None, :, None]
    first = ((example * (height + 2) + row) * (width + 2) + column) * heads + head
    step = np.array([0, 1, width + 2, width + 3], np.int32) * heads
    index = first[..., None] + jnp.asarray(step, jnp.int32)[None, None, None, None]
    return index, area * weight[..., None]


def directional_bias(heads: int, points: int):
    """Initial sampling offsets: head k looks in direction 2 pi k / heads, point p at p + 1 pixels.

    Directions are scaled so that the larger of |x|, |y| is 1 (Deformable DETR's initialisation).
    """

    def init(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
        angle = np.arange(heads) * 2 * np.pi / heads
        direction = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        direction /= np.abs(direction).max(axis=-1, keepdims=True)
        # (heads, 1, 2) * (1, points, 1) -> (heads, points, 2) -> (heads*points*2,)
        offsets = direction[:, None, :] * np.arange(1, points + 1)[None, :, None]
        return jnp.asarray(offsets.reshape(shape), dtype)

    return init


class DeformableAttention(nn.Module):
    """Multi-head deformable self-attention of a map on itself; one level, adds no residual.

    Every pixel looks from its own centre at `points` places a head; where, and with what weight,
    are linear in (x + positional encoding); the values are linear in x without it.
    """

    heads: int
    points: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """x: (B, H, W, C) -> (B, H, W, C)."""
        batch, height, width, channels = x.shape
        heads, points = self.heads, self.points
        xavier, zeros = nn.initializers.xavier_uniform(), nn.initializers.zeros
        value = Linear(
            channels, kernel_init=xavier, bias_init=zeros, dtype=self.dtype, name="value"
        )(x)
        offsets = PositionedLinear(
            heads * points * 2, directional_bias(heads, points), self.dtype, name="offsets"
        )(x)
        scores = PositionedLinear(heads * points, zeros, self.dtype, name="weights")(x)

        # Offsets are in pixels: (B, H, W, heads*P*2) -> (B, H, W, heads, P, 2)
        offsets = offsets.reshape(batch, height, width, heads, points, 2)
        columns = jnp.arange(width, dtype=jnp.float32)[None, None, :, None, None]
        rows = jnp.arange(height, dtype=jnp.float32)[None, :, None, None, None]
        # (B, H, W, heads, P) -> (B, Q, heads, P), Q = H*W
        shape = (batch, height * width, heads, points)
        px = (columns + offsets[..., 0]).reshape(shape)
        py = (rows + offsets[..., 1]).reshape(shape)
        # (B, H, W, heads*P) -> (B, Q, heads, P)
        weight = nn.softmax(scores.reshape(shape), axis=-1)

        # (B, H, W, C) -> (B, H, W, heads, C / heads)
        value = value.reshape(batch, height, width, heads, channels // heads)
        out = sample_weighted(value, px, py, weight)
        # (B, Q, heads, C / heads) -> (B, H, W, C)
        out = out.reshape(batch, height, width, channels)
        return Linear(
            channels, kernel_init=xavier, bias_init=zeros, dtype=self.dtype, name="output"
        )(out)


class PositionedLinear(nn.Module):
    """Linear map of (x + sine positional encoding), in float32; kernel starts at zero.

    The encoding is [encoding of y, encoding of x], so its share of the product is a row term plus
    a column term: two small matmuls, no full-size encoding, nothing that depends on x.
    """

    features: int
    bias_init: jax.nn.initializers.Initializer
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """x: (B, H, W, C), C even -> (B, H, W, features) float32."""
        _, height, width, channels = x.shape
        half = channels // 2
        kernel = self.param("kernel", nn.initializers.zeros, (channels, self.features), jnp.float32)
        bias = self.param("bias", self.bias_init, (self.features,), jnp.float32)
        by_row = jnp.asarray(axis_encoding(height, half)) @ kernel[:half]
        by_column = jnp.asarray(axis_encoding(width, half)) @ kernel[half:] + bias[None, :]
        position = by_row[None, :, None, :] + by_column[None, None, :, :]
        return linear(x, kernel, None, self.dtype).astype(jnp.float32) + position

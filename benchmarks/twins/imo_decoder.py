"""IMO's denoising decoder in PyTorch, under the released parameter names; maps as (B, H*W, C)."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TEMPERATURE = 10000.0  # of the sine positional encoding


class DeformableAttention(nn.Module):
    """Multi-scale deformable attention with one level, by grid_sample; adds no residual."""

    def __init__(self, channels: int, heads: int, points: int) -> None:
        super().__init__()
        self.heads, self.points = heads, points
        self.sampling_offsets = nn.Linear(channels, heads * points * 2)
        self.attention_weights = nn.Linear(channels, heads * points)
        self.value_proj = nn.Linear(channels, channels)
        self.output_proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor, grid: "Grid") -> Tensor:
        """x (B, Q, C), the pixels of `grid` -> (B, Q, C)."""
        batch, queries, channels = x.shape
        heads, points = self.heads, self.points
        query = x + grid.encoding
        # Offsets are in pixels: (B, Q, heads*P*2) -> (B, Q, heads, P, 2)
        offsets = self.sampling_offsets(query).reshape(batch, queries, heads, points, 2)
        place = grid.centres[:, None, None] + offsets.float() / grid.extent
        # From 0..1 to -1..1: (B, Q, heads, P, 2) -> (B*heads, Q, P, 2)
        place = (2 * place - 1).transpose(1, 2).reshape(batch * heads, queries, points, 2)
        # (B, Q, heads*P) -> (B, Q, heads, P) -> (B*heads, 1, Q, P)
        weight = self.attention_weights(query).reshape(batch, queries, heads, points)
        weight = weight.float().softmax(dim=-1).transpose(1, 2)
        weight = weight.reshape(batch * heads, 1, queries, points)
        # (B, Q, C) -> (B, C, Q) -> (B*heads, C / heads, H, W)
        value = self.value_proj(x).transpose(1, 2).reshape(batch * heads, -1, *grid.size)
        found = F.grid_sample(
            value,
            place.to(value.dtype),
            mode="bilinear",
            padding_mode="zeros",
            align_corners=False,
        )
        # (B*heads, C / heads, Q, P) -> (B, C, Q) -> (B, Q, C)
        out = (found * weight.to(found.dtype)).sum(dim=-1).reshape(batch, channels, queries)
        return self.output_proj(out.transpose(1, 2))


class Grid(nn.Module):
    """What attention needs to know of a map of `size` (H, W), computed once.

    Buffers: extent (2,) = (W, H); centres (Q, 2) of the pixels as (x, y) in 0..1; encoding (Q, C),
    the sine encoding [of y, of x].
    """

    def __init__(self, size: tuple[int, int], channels: int) -> None:
        super().__init__()
        self.size = size
        height, width = size
        y, x = torch.meshgrid(_centres(height), _centres(width), indexing="ij")
        encoding = [
            _encode(position * n / (n + 1e-6), channels // 2)
            for position, n in ((y, height), (x, width))
        ]
        # (H, W, ...) -> (Q, ...)
        self._keep("extent", torch.tensor([width, height]))
        self._keep("centres", torch.stack([x, y], dim=-1).flatten(0, 1))
        self._keep("encoding", torch.cat(encoding, dim=-1).flatten(0, 1))

    def _keep(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value.float(), persistent=False)


def _centres(size: int) -> Tensor:
    return (torch.arange(size, dtype=torch.float64) + 0.5) / size


def _encode(position: Tensor, features: int) -> Tensor:
    """Positions (H, W) in 0..1 -> (H, W, features): sine, cosine, sine, ..."""
    period = TEMPERATURE ** (torch.arange(0, features, 2, dtype=torch.float64) / features)
    angle = position[..., None] * 2 * math.pi / period
    # (H, W, features / 2, 2) -> (H, W, features)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)


class FeedForward(nn.Module):
    """Linear, exact GELU, linear, nested as mmcv nests them."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        first = nn.Sequential(nn.Linear(channels, hidden), nn.GELU())
        self.layers = nn.Sequential(first, nn.Linear(hidden, channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class DecoderLayer(nn.Module):
    """x + MSDA, LN, + FFN, LN; then x (1 + scale) + shift."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        dim = config.feature_dim
        attention = DeformableAttention(dim, config.decoder_heads, config.decoder_points)
        self.attentions = nn.ModuleList([attention])
        self.ffns = nn.ModuleList([FeedForward(dim, config.decoder_mlp)])
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        self.time_mlp = nn.Sequential(nn.SiLU(), nn.Linear(config.time_dim, 2 * dim))

    def forward(self, x: Tensor, time: Tensor, grid: Grid) -> Tensor:
        """x (B, Q, C), time (B, time_dim) -> (B, Q, C)."""
        x = self.norms[0](x + self.attentions[0](x, grid))
        x = self.norms[1](x + self.ffns[0](x))
        scale, shift = self.time_mlp(time)[:, None].chunk(2, dim=-1)
        return x * (1 + scale) + shift


class DecodeHead(nn.Module):
    """Decoder layers, and a depthwise-separable 1x1 to the classes; maps of `size` (H, W)."""

    def __init__(self, config: Any, size: tuple[int, int]) -> None:
        super().__init__()
        dim = config.feature_dim
        self.grid = Grid(size, dim)
        layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.encoder = nn.ModuleDict({"layers": layers})
        depthwise = nn.Conv2d(dim, dim, 1, groups=dim)
        pointwise = nn.Conv2d(dim, config.num_classes, 1)
        self.conv_seg = nn.Sequential()
        self.conv_seg.add_module("depthwise", depthwise)
        self.conv_seg.add_module("pointwise", pointwise)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """x (B, C, H, W), time (B, time_dim) -> logits (B, classes, H, W)."""
        # (B, C, H, W) -> (B, Q, C)
        tokens = x.flatten(2).transpose(1, 2)
        for layer in self.encoder["layers"]:
            tokens = layer(tokens, time, self.grid)
        # (B, Q, C) -> (B, C, H, W)
        return self.conv_seg(tokens.transpose(1, 2).reshape(x.shape))


class LearnedFrequencies(nn.Module):
    """(B,) -> [l, sin(2 pi l w), cos(2 pi l w)], (B, 2 n + 1)."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(number))

    def forward(self, log_snr: Tensor) -> Tensor:
        angle = 2 * math.pi * log_snr[:, None] * self.weights
        return torch.cat([log_snr[:, None], angle.sin(), angle.cos()], dim=-1)


def time_mlp(config: Any) -> nn.Sequential:
    """log-SNR (B,) -> embedding (B, time_dim)."""
    number, dim = config.time_frequencies, config.time_dim
    return nn.Sequential(
        LearnedFrequencies(number),
        nn.Linear(2 * number + 1, dim),
        nn.GELU(),
        nn.Linear(dim, dim),
    )

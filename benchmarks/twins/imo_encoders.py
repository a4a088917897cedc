"""IMO's encoders, CMFA and grading head in PyTorch, under the released parameter names."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

OCT_GROUP = 2  # OCT blocks after the first come in groups of so many in the released names


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of a map (B, C, H, W); free of copies in channels last."""

    def forward(self, x: Tensor) -> Tensor:
        # (B, C, H, W) -> (B, H, W, C) -> (B, C, H, W)
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    """x + keep * gamma * W2 gelu(W1 LN(DW7x7 x)); `keep` (B, 1, 1, 1) is drop-path's factor."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise_conv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.pointwise_conv1 = nn.Linear(channels, 4 * channels)
        self.pointwise_conv2 = nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        # (B, C, H, W) -> (B, H, W, C)
        y = self.norm(self.depthwise_conv(x).permute(0, 2, 3, 1))
        y = self.pointwise_conv2(F.gelu(self.pointwise_conv1(y))) * self.gamma
        # (B, H, W, C) -> (B, C, H, W)
        y = y.permute(0, 3, 1, 2)
        return x + (y if keep is None else y * keep)


class ConvNeXt(nn.Module):
    """Four stages at strides 4, 8, 16, 32, each with an output norm."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        depths, widths = config.backbone_depths, config.backbone_widths
        self.rates = np.linspace(0, config.drop_path, sum(depths)).tolist()
        self.downsample_layers = nn.ModuleList()
        self.stages = nn.ModuleList()
        before = 3
        for i, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            patch = 4 if i == 0 else 2
            conv = nn.Conv2d(before, width, patch, stride=patch)
            down = (conv, ChannelNorm(width, eps=1e-6)) if i == 0 else (ChannelNorm(before), conv)
            self.downsample_layers.append(nn.Sequential(*down))
            self.stages.append(nn.ModuleList(ConvNeXtBlock(width) for _ in range(depth)))
            self.add_module(f"norm{i}", ChannelNorm(width, eps=1e-6))
            before = width

    def forward(self, x: Tensor, keep: Tensor | None) -> list[Tensor]:
        """x (B, 3, H, W); keep (blocks, B) bool of drop-path or None -> the four stages."""
        outputs, number = [], 0
        for i, (down, blocks) in enumerate(zip(self.downsample_layers, self.stages, strict=True)):
            x = down(x)
            for block in blocks:
                factor = None
                if keep is not None and self.rates[number] > 0:
                    # (B,) -> (B, 1, 1, 1)
                    factor = keep[number].to(x.dtype)[:, None, None, None]
                    factor = factor / (1 - self.rates[number])
                x = block(x, factor)
                number += 1
            outputs.append(getattr(self, f"norm{i}")(x))
        return outputs


class ConvNorm(nn.Module):
    """Convolution (no bias) and group norm, named as mmcv names them."""

    def __init__(self, inputs: int, outputs: int, size: int, groups: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
        self.gn = nn.GroupNorm(groups, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.gn(self.conv(x))


class Neck(nn.Module):
    """Feature pyramid, then its levels upsampled, concatenated and merged by a 1x1."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        dim, groups, widths = (
            config.feature_dim,
            config.norm_groups,
            config.backbone_widths,
        )
        self.lateral_convs = nn.ModuleList(ConvNorm(width, dim, 1, groups) for width in widths)
        self.fpn_convs = nn.ModuleList(ConvNorm(dim, dim, 3, groups) for _ in widths)
        self.merge = nn.ModuleDict({"down": ConvNorm(len(widths) * dim, dim, 1, groups)})

    def forward(self, stages: list[Tensor]) -> Tensor:
        laterals = [conv(x) for conv, x in zip(self.lateral_convs, stages, strict=True)]
        for i in reversed(range(len(laterals) - 1)):
            size = laterals[i].shape[-2:]
            laterals[i] = laterals[i] + F.interpolate(laterals[i + 1], size=size, mode="nearest")
        levels = [conv(x) for conv, x in zip(self.fpn_convs, laterals, strict=True)]
        size = levels[0].shape[-2:]
        levels = [levels[0], *(_bilinear(level, size) for level in levels[1:])]
        return self.merge["down"](torch.cat(levels, dim=1))


class SeparableBlock(nn.Module):
    """DW 3x3, 1x1, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.dw = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
        self.pw = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.pw(self.dw(x))))


class OctEncoder(nn.Module):
    """Slices as channels, resized to the fundus feature's grid, then separable blocks."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        dim = config.feature_dim
        first = SeparableBlock(config.oct_slices, dim)
        others = [SeparableBlock(dim, dim) for _ in range(config.oct_blocks - 1)]
        groups = [
            nn.Sequential(*others[i : i + OCT_GROUP]) for i in range(0, len(others), OCT_GROUP)
        ]
        self.encoder = nn.Sequential(first, *groups)

    def forward(self, volume: Tensor, size: tuple[int, int]) -> Tensor:
        """volume (B, D, h, w) float32 in 0..1 -> (B, C, *size)."""
        return self.encoder(_bilinear(volume, size))


class CMFA(nn.Module):
    """Channel attention of both features by one MLP, addition, spatial attention, 1x1, ReLU."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        dim, hidden = (
            config.feature_dim,
            config.feature_dim // config.channel_attention_reduction,
        )
        self.fc = nn.Sequential(
            nn.Linear(dim, hidden, bias=False),
            nn.ReLU(),
            nn.Linear(hidden, dim, bias=False),
        )
        self.spatial_conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.fusion_conv = nn.Conv2d(dim, dim, 1, bias=False)

    def forward(self, fundus: Tensor, oct_feature: Tensor) -> Tensor:
        x = self._weighted(fundus) + self._weighted(oct_feature)
        maps = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return F.relu(self.fusion_conv(x * torch.sigmoid(self.spatial_conv(maps))))

    def _weighted(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.fc(x.mean(dim=(2, 3))))[:, :, None, None]


class ClassHead(nn.Module):
    """Separable blocks, squeeze-and-excitation, pooling, a small MLP -> grade logits."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        width = config.grade_hidden
        inputs = [config.feature_dim, *[width] * (config.grade_blocks - 1)]
        self.blocks = nn.Sequential(*(SeparableBlock(i, width) for i in inputs))
        squeezed = width // config.se_reduction
        gate = (
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, squeezed, 1), nn.ReLU(),
            nn.Conv2d(squeezed, width, 1), nn.Sigmoid(),
        )  # fmt: skip
        self.att = nn.ModuleDict({"fc": nn.Sequential(*gate)})
        # Place 2 is the released dropout's, which has no parameters; see `forward`.
        layers = {
            "0": nn.Linear(width, width // 2),
            "3": nn.Linear(width // 2, config.num_grades),
        }
        self.mlp = nn.ModuleDict(layers)
        self.rate = config.grade_dropout

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """keep: (B, hidden) bool of dropout, or None."""
        x = self.blocks(x)
        x = (x * self.att["fc"](x)).mean(dim=(2, 3))
        x = F.relu(self.mlp["0"](x))
        if keep is not None:
            x = x * keep.to(x.dtype) / (1 - self.rate)
        return self.mlp["3"](x)


def _bilinear(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)

"""A small SegNeXt in plain PyTorch, by the paper, its modules named as in the original code."""

import torch
from torch import nn
from torch.nn import functional

STRIPS = (7, 11, 21)


def depthwise(channels, *size):
    size = size * 2 if len(size) == 1 else size
    return nn.Conv2d(channels, channels, size, padding=[n // 2 for n in size], groups=channels)


class Gate(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv0 = depthwise(channels, 5)
        for i, k in enumerate(STRIPS):
            self.add_module(f"conv{i}_1", depthwise(channels, 1, k))
            self.add_module(f"conv{i}_2", depthwise(channels, k, 1))
        self.conv3 = nn.Conv2d(channels, channels, 1)

    def forward(self, u):
        local = self.conv0(u)
        scales = [local]
        for i in range(len(STRIPS)):
            row, column = (self.get_submodule(f"conv{i}_{part}") for part in (1, 2))
            scales.append(column(row(local)))
        return u * self.conv3(torch.stack(scales).sum(dim=0))


class Block(nn.Module):
    def __init__(self, channels, ratio):
        super().__init__()
        hidden = ratio * channels
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.attn = nn.ModuleDict({
            "proj_1": nn.Conv2d(channels, channels, 1),
            "spatial_gating_unit": Gate(channels),
            "proj_2": nn.Conv2d(channels, channels, 1),
        })  # fmt: skip
        self.mlp = nn.ModuleDict({
            "fc1": nn.Conv2d(channels, hidden, 1),
            "dwconv": nn.ModuleDict({"dwconv": depthwise(hidden, 3)}),
            "fc2": nn.Conv2d(hidden, channels, 1),
        })  # fmt: skip
        self.layer_scale_1 = nn.Parameter(torch.ones(channels))
        self.layer_scale_2 = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        y = self.norm1(x)
        inner = functional.gelu(self.attn["proj_1"](y))
        y = y + self.attn["proj_2"](self.attn["spatial_gating_unit"](inner))
        x = x + self.layer_scale_1[:, None, None] * y
        y = self.mlp["dwconv"]["dwconv"](self.mlp["fc1"](self.norm2(x)))
        y = self.mlp["fc2"](functional.gelu(y))
        return x + self.layer_scale_2[:, None, None] * y


class Downsampling(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.proj, self.norm = nn.Conv2d(inputs, outputs, 3, 2, 1), nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.norm(self.proj(x))


class Stem(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        half = outputs // 2
        self.proj = nn.Sequential(
            nn.Conv2d(3, half, 3, 2, 1), nn.BatchNorm2d(half), nn.GELU(),
            nn.Conv2d(half, outputs, 3, 2, 1), nn.BatchNorm2d(outputs),
        )  # fmt: skip

    def forward(self, x):
        return self.proj(x)


class Encoder(nn.Module):
    def __init__(self, depths, widths, ratios):
        super().__init__()
        for i, (depth, width, ratio) in enumerate(zip(depths, widths, ratios, strict=True)):
            embed = Downsampling(widths[i - 1], width) if i else Stem(width)
            self.add_module(f"patch_embed{i + 1}", embed)
            self.add_module(
                f"block{i + 1}", nn.Sequential(*(Block(width, ratio) for _ in range(depth)))
            )
            self.add_module(f"norm{i + 1}", nn.LayerNorm(width))

    def forward(self, x):
        stages = []
        for i in range(1, 5):
            x = self.get_submodule(f"block{i}")(self.get_submodule(f"patch_embed{i}")(x))
            x = self.get_submodule(f"norm{i}")(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            stages.append(x)
        return stages


def conv_norm(inputs, outputs, groups):
    return nn.ModuleDict({
        "conv": nn.Conv2d(inputs, outputs, 1, bias=False), "gn": nn.GroupNorm(groups, outputs)
    })  # fmt: skip


class Decoder(nn.Module):
    def __init__(self, inputs, channels, groups, classes):
        super().__init__()
        self.squeeze = conv_norm(inputs, channels, groups)
        self.hamburger = nn.ModuleDict({
            "ham_in": nn.ModuleDict({"conv": nn.Conv2d(channels, channels, 1)}),
            "ham_out": conv_norm(channels, channels, groups),
        })  # fmt: skip
        self.align = conv_norm(channels, channels, groups)
        self.conv_seg = nn.Conv2d(channels, classes, 1)

    def forward(self, stages, bases, steps):
        size = stages[1].shape[2:]
        x = torch.cat([functional.interpolate(s, size, mode="bilinear") for s in stages[1:]], dim=1)
        x = functional.relu(self.squeeze["gn"](self.squeeze["conv"](x)))
        y = functional.relu(self.hamburger["ham_in"]["conv"](x))
        y = torch.stack([low_rank(m.flatten(1), bases, steps).view_as(m) for m in y])
        y = self.hamburger["ham_out"]["gn"](self.hamburger["ham_out"]["conv"](y))
        x = functional.relu(x + y)
        return self.conv_seg(functional.relu(self.align["gn"](self.align["conv"](x))))


def low_rank(x, bases, steps):
    """x (D, N) ~ bases (D, R) codes (R, N), by multiplicative updates, the codes once more."""
    codes = torch.softmax(bases.T @ x, dim=0)
    for step in range(steps + 1):
        codes = codes * (bases.T @ x) / (bases.T @ bases @ codes + 1e-6)
        if step < steps:
            bases = bases * (x @ codes.T) / (bases @ (codes @ codes.T) + 1e-6)
    return bases @ codes


class SegNeXt(nn.Module):
    """depths, widths, ratios of MSCAN; channels and groups of the decoder."""

    def __init__(self, depths, widths, ratios, channels, groups, classes):
        super().__init__()
        self.backbone = Encoder(depths, widths, ratios)
        self.decode_head = Decoder(sum(widths[1:]), channels, groups, classes)

    def forward(self, image, bases, steps):
        return self.decode_head(self.backbone(image), bases, steps)

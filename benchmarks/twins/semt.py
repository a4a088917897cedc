"""SEMT's multi-task network in PyTorch: ResNet of basic blocks, regression module, classifier.

The config is imo_jax's SemtConfig or anything with its fields; network "multi_task" and the stem
"imagenet" or "small". Maps are (B, C, H, W).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.twins.imo import MEAN, STD
from imo_jax.visual_field import HIGH, INDICES, LOW, RANGES


class BasicBlock(nn.Module):
    """relu(3x3, norm, relu, 3x3, norm + shortcut), under torchvision's names."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride > 1 or inputs != outputs:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """Stem and stages -> the last stage's maps, under torchvision's names."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        large = config.stem == "imagenet"
        size, width = (7 if large else 3), config.width
        self.conv1 = nn.Conv2d(3, width, size, 2, padding=size // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, 2, padding=1) if large else nn.Identity()
        self.depth = len(config.stage_sizes)
        before = width
        for i, blocks in enumerate(config.stage_sizes):
            features = width * 2**i
            first = BasicBlock(before, features, 2 if i > 0 else 1)
            others = [BasicBlock(features, features, 1) for _ in range(blocks - 1)]
            self.add_module(f"layer{i + 1}", nn.Sequential(first, *others))
            before = features
        self.out_channels = before

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        for i in range(self.depth):
            x = getattr(self, f"layer{i + 1}")(x)
        return x


class RegressionMaps(nn.Module):
    """Two of 3x3 convolution (no bias), batch norm, ReLU."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(inputs, width, 3, padding=1, bias=False)
        self.norm0 = nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm0(self.conv0(x)))
        return F.relu(self.norm1(self.conv1(x)))


class MultiTaskTwin(nn.Module):
    """Scan triplets uint8 (B, H, W, 3) -> `logit` (B,) and `vf` (B, 3) on the scale 0.1 .. 0.9."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.memory_format = torch.contiguous_format
        names = list(INDICES) if config.regression_branches == 3 else ["visual_field"]
        each = len(INDICES) // len(names)
        self.backbone = ResNet(config)
        channels, width = self.backbone.out_channels, config.regression_width
        self.maps = nn.ModuleDict({name: RegressionMaps(channels, width) for name in names})
        self.heads = nn.ModuleDict({name: nn.Linear(width, each) for name in names})
        self.classifier = nn.Linear(channels + len(names) * width, 1)

    def use(self, memory_format: torch.memory_format) -> None:
        """Lays weights and inputs out in this format; the results stay what they are."""
        self.memory_format = memory_format
        self.to(memory_format=memory_format)

    def forward(self, scan: Tensor) -> dict[str, Tensor]:
        mean, std = (torch.tensor(v, device=scan.device) for v in (MEAN, STD))
        # (B, H, W, 3) -> (B, 3, H, W)
        x = ((scan - mean) / std).permute(0, 3, 1, 2)
        maps = self.backbone(x.contiguous(memory_format=self.memory_format))
        regressed = {name: branch(maps) for name, branch in self.maps.items()}
        pooled = {name: x.mean(dim=(2, 3)) for name, x in regressed.items()}
        vf = torch.cat([self.heads[name](x) for name, x in pooled.items()], dim=-1)
        everything = torch.cat([maps.mean(dim=(2, 3)), *pooled.values()], dim=-1)
        return {
            "logit": self.classifier(everything)[:, 0].float(),
            "vf": vf.float().sigmoid(),
        }

    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())


def losses(model: MultiTaskTwin, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Cross entropy of the class; squared error of each index over the examples that have it."""
    outputs = model(batch["scan"])
    target = _scaled(batch["vf"])
    found = {
        "classification": F.binary_cross_entropy_with_logits(
            outputs["logit"], batch["glaucoma"].float()
        )
    }
    for j, name in enumerate(INDICES):
        there = batch["has_vf"][:, j].float()
        error = (outputs["vf"][:, j] - target[:, j]).square() * there
        found[name] = error.sum() / there.sum().clamp(min=1)
    return found


def _scaled(vf: Tensor) -> Tensor:
    """Native units (B, 3) -> LOW .. HIGH, clipped to the ranges."""
    low, high = (
        torch.tensor([RANGES[name][end] for name in INDICES], device=vf.device) for end in (0, 1)
    )
    return LOW + (HIGH - LOW) * ((vf - low) / (high - low)).clamp(0, 1)

"""segmentation_models_pytorch's U-Net on timm's encoder, as our U-Net's twin.

The config is imo_jax's SegmenterConfig or anything with its fields, of a U-Net on an EfficientNet-Lite.
"""

from typing import Any

import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imo_jax.labels import IGNORE

# As in the published training, and ours; timm builds it with PyTorch's usual value.
MOMENTUM = 0.01
INPUT_MEAN, INPUT_STD = 127.0, 128.0  # of the published weights, in 0..255
WIDTHS = (256, 128, 64, 32, 16)  # of the decoder, coarse to fine


class UNetTwin(nn.Module):
    """Photographs (B, H, W, 3) uint8 -> logits (B, classes, H, W)."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.memory_format = torch.contiguous_format
        self.unet = smp.Unet(
            f"tu-tf_{config.encoder}", encoder_weights=None, decoder_channels=WIDTHS,
            classes=config.num_classes,
        )  # fmt: skip
        for module in self.unet.encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = MOMENTUM

    def use(self, memory_format: torch.memory_format) -> None:
        """Lays weights and inputs out in this format; the results stay what they are."""
        self.memory_format = memory_format
        self.to(memory_format=memory_format)

    def forward(self, fundus: Tensor) -> Tensor:
        # (B, H, W, 3) -> (B, 3, H, W)
        x = ((fundus - INPUT_MEAN) / INPUT_STD).permute(0, 3, 1, 2)
        return self.unet(x.contiguous(memory_format=self.memory_format))


def losses(model: UNetTwin, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Cross entropy summed over the labelled pixels, over the number of all pixels."""
    mask = batch["mask"]
    logits = model(batch["fundus"]).float()
    total = F.cross_entropy(logits, mask, ignore_index=IGNORE, reduction="sum")
    return {"segmentation": total / mask.numel()}

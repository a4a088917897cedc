"""MONAI's BasicUNet on photographs: built, put into the faster memory format, asked for logits."""

import os
import time
from collections.abc import Iterator

# MONAI loads TensorBoard, which loads TensorFlow where it is installed, and that is talkative;
# neither is used here.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
import torch
from monai.networks.nets.basic_unet import BasicUNet

from imo_jax.labels import CLASS_NAMES

FEATURES = (32, 32, 64, 128, 256, 32)  # MONAI's own default: 1,979,075 parameters in 2-D
STRIDE = 16  # of the deepest stage
SCORING_BATCH = 8


class PhotographUNet(torch.nn.Module):
    """BasicUNet for photographs: (B, 3, H, W) float32 in 0..1 -> logits (B, 3, H, W) float32.

    H and W are multiples of STRIDE, and at least twice that: the instance norm of the deepest stage
    needs more than one pixel.
    """

    def __init__(self, features: tuple[int, ...] = FEATURES) -> None:
        super().__init__()
        self.unet = BasicUNet(
            spatial_dims=2, in_channels=3, out_channels=len(CLASS_NAMES), features=features
        )
        self.memory_format = torch.contiguous_format

    def forward(self, photographs: torch.Tensor) -> torch.Tensor:
        centred = (photographs - 0.5) * 4.0
        return self.unet(centred.contiguous(memory_format=self.memory_format))

    def use(self, memory_format: torch.memory_format) -> None:
        """Lays weights and inputs out in this format; the results stay what they are."""
        self.memory_format = memory_format
        self.to(memory_format=memory_format)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())


def as_input(photographs: np.ndarray, device: torch.device) -> torch.Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 in 0..1."""
    return torch.from_numpy(photographs).to(device).permute(0, 3, 1, 2).float() / 255.0


def use_faster_memory_format(model: PhotographUNet, size: int, batch: int = 2) -> str:
    """Times forward + backward in both memory formats, keeps the faster one, says which."""
    photographs = torch.rand(batch, 3, size, size, device=model.device)
    formats = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}
    seconds = {}
    for name, memory_format in formats.items():
        model.use(memory_format)
        _forward_backward(model, photographs)  # builds kernels
        seconds[name] = min(_forward_backward(model, photographs) for _ in range(2))
    fastest = min(seconds, key=seconds.get)
    model.use(formats[fastest])
    return fastest


def _forward_backward(model: PhotographUNet, photographs: torch.Tensor) -> float:
    """Seconds; leaves no gradient behind."""
    start = time.monotonic()
    model(photographs).square().mean().backward()
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)
    model.zero_grad(set_to_none=True)
    return time.monotonic() - start


@torch.inference_mode()
def predict(model: PhotographUNet, photographs: np.ndarray) -> Iterator[torch.Tensor]:
    """Logits (3, S, S) float32, on the CPU, of each photograph of (N, S, S, 3) uint8."""
    model.eval()
    for first in range(0, len(photographs), SCORING_BATCH):
        batch = as_input(photographs[first : first + SCORING_BATCH], model.device)
        yield from model(batch).cpu()

"""What is timed: one task, given alike to every implementation."""

import dataclasses
import math
from typing import Any


@dataclasses.dataclass(frozen=True)
class Timed:
    """A model as it is timed unless asked otherwise.

    Attributes:
      config: its full size.
      size: side of the images in pixels.
      batch: images.
      whats: what of it can be timed.
      twin: whether there is a network of it in PyTorch.
    """

    config: str
    size: int
    batch: int
    whats: tuple[str, ...]
    twin: bool = True


MODELS = {
    "imo": Timed("convnext_tiny", 256, 2, ("train", "sample", "encode", "compile")),
    "semt": Timed("resnet18", 224, 8, ("train", "encode", "compile")),
    "unet": Timed("efficientnet_lite0", 256, 8, ("train", "encode", "compile")),
    "two_stages": Timed("square", 256, 8, ("train", "compile"), twin=False),
}
# What has no model -> its size and batch.
OTHERS = {"surrogate": (20_000, 10_000), "loader": (256, 8)}
WHATS = ("train", "sample", "encode", "compile", *OTHERS)
PRECISIONS = ("float32", "tf32", "bfloat16")

# Of every training, on both sides: AdamW at a constant rate after clipping by the global norm.
LEARNING_RATE = 6e-5
WEIGHT_DECAY = 0.01
CLIP_NORM = 1.0
OPTIMISER_STEPS = 1000  # planned; the rate does not depend on it

DESCRIPTOR = 512  # features of a descriptor in the search for surrogates


@dataclasses.dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
      what: one of WHATS.
      model: a key of MODELS; "" where there is no model.
      config: name of the model's size.
      network: all fields of its config, the compute dtype among them.
      size: side of the images in pixels; of "surrogate" the number of donors.
      batch: images; of "surrogate" the number of queries.
      precision: one of PRECISIONS.
      steps, samples: of the sampler.
      oct_size: side of the OCT slices as they come.
      compile_mode: of torch.compile.
    """

    what: str
    model: str
    config: str
    network: dict[str, Any]
    size: int
    batch: int
    precision: str
    steps: int = 3
    samples: int = 1
    oct_size: int = 256
    compile_mode: str = "default"

    @property
    def trains(self) -> bool:
        return self.what in ("train", "compile")


def spread(seconds: list[float]) -> dict[str, float]:
    """median_s, p10_s and p90_s: the values that halves and tenths of the times do not exceed."""
    ordered = sorted(seconds)

    def quantile(q: float) -> float:
        position = q * (len(ordered) - 1)
        low = math.floor(position)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (position - low) * (ordered[high] - ordered[low])

    return {"median_s": quantile(0.5), "p10_s": quantile(0.1), "p90_s": quantile(0.9)}

"""IMO in PyTorch with the released semantics: network, training losses, DDIM sampler.

The config is imo_jax's IMOConfig or anything with its fields; only the released network is built
(attention in CMFA with one channel MLP, diffusion, both heads, no auxiliary head).
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.twins.imo_decoder import DecodeHead, time_mlp
from benchmarks.twins.imo_encoders import CMFA, ClassHead, ConvNeXt, Neck, OctEncoder
from imo_jax.labels import IGNORE

STRIDE = 4  # of the features and logits
MAX_TIME = 0.999  # labels are noised at times below it
# ImageNet statistics of RGB in 0..255.
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


class Draws(NamedTuple):
    """What a training step draws.

    Attributes:
      time: (B,) float32 in [0, MAX_TIME).
      noise: (B, C, H/4, W/4) float32.
      drop_path: (blocks, B) bool, True = kept.
      dropout: (B, grade_hidden / 2) bool, True = kept.
    """

    time: Tensor
    noise: Tensor
    drop_path: Tensor
    dropout: Tensor


class ImoTwin(nn.Module):
    """The network for images of `size` (H, W). Inputs are (B, C, H, W), see `normalise`."""

    def __init__(self, config: Any, size: tuple[int, int]) -> None:
        super().__init__()
        self.config = config
        self.memory_format = torch.contiguous_format
        dim = config.feature_dim
        self.backbone = ConvNeXt(config)
        self.neck = Neck(config)
        self.oct_encoder = OctEncoder(config)
        self.CMFA = CMFA(config)
        self.class_head = ClassHead(config)
        self.embedding_table = nn.Embedding(config.num_classes + 1, dim)
        self.transform = nn.Sequential()
        self.transform.add_module("conv", nn.Conv2d(2 * dim, dim, 1))
        self.time_mlp = time_mlp(config)
        self.decode_head = DecodeHead(config, (size[0] // STRIDE, size[1] // STRIDE))

    def use(self, memory_format: torch.memory_format) -> None:
        """Lays weights and inputs out in this format; the results stay what they are."""
        self.memory_format = memory_format
        self.to(memory_format=memory_format)

    def encode(
        self, fundus: Tensor, volume: Tensor, draws: Draws | None = None
    ) -> dict[str, Tensor]:
        """Everything that does not depend on x_t, named as imo_jax's `IMO.encode` names it."""
        fundus, volume = (x.contiguous(memory_format=self.memory_format) for x in (fundus, volume))
        stages = self.backbone(fundus, None if draws is None else draws.drop_path)
        feature = self.neck(stages)
        oct_feature = self.oct_encoder(volume, feature.shape[-2:])
        fused = self.CMFA(feature, oct_feature)
        return {
            **{f"backbone_stage{i}": stage for i, stage in enumerate(stages)},
            "fundus_feature": feature,
            "oct_feature": oct_feature,
            "fused_feature": fused,
            "grade_logits": self.class_head(fused, None if draws is None else draws.dropout),
        }

    def denoise(self, feature: Tensor, x_t: Tensor, log_snr_t: Tensor) -> Tensor:
        """feature, x_t (B, C, h, w), log_snr_t (B,) -> logits (B, classes, h, w)."""
        x = self.transform(torch.cat([feature, x_t.to(feature.dtype)], dim=1))
        return self.decode_head(x, self.time_mlp(log_snr_t))

    def embed_labels(self, labels: Tensor) -> Tensor:
        """Class ids (B, h, w), 255 = ignore -> x0 (B, C, h, w)."""
        index = torch.where(labels == IGNORE, self.config.num_classes, labels)
        x0 = (2 * torch.sigmoid(self.embedding_table(index)) - 1) * self.config.signal_scale
        # (B, h, w, C) -> (B, C, h, w)
        return x0.permute(0, 3, 1, 2)

    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())


def normalise(fundus: Tensor, volume: Tensor) -> tuple[Tensor, Tensor]:
    """uint8 (B, H, W, 3) and (B, h, w, D) -> float32 (B, 3, H, W) and (B, D, h, w)."""
    mean, std = (torch.tensor(v, device=fundus.device) for v in (MEAN, STD))
    return ((fundus - mean) / std).permute(0, 3, 1, 2), (volume / 255.0).permute(0, 3, 1, 2)


def log_snr(t: Tensor) -> Tensor:
    """log-SNR of the released cosine schedule, in the form that keeps its digits near t = 1."""
    angle = torch.pi / 2 * ((1.0 - t) + 5e-5) / 1.00025
    return torch.clamp(2 * torch.log(torch.tan(angle)), max=11.512925)


def alpha_sigma(log_snr_t: Tensor) -> tuple[Tensor, Tensor]:
    """Amplitudes of signal and noise."""
    return torch.sqrt(torch.sigmoid(log_snr_t)), torch.sqrt(torch.sigmoid(-log_snr_t))


def sampling_times(
    steps: int, time_difference: int, start_time: float
) -> list[tuple[float, float]]:
    """(t_now, t_next) of every step."""
    return [
        (
            start_time * (1 - k / steps),
            start_time * max(1 - (k + 1 + time_difference) / steps, 0),
        )
        for k in range(steps)
    ]


def draw(config: Any, batch: int, size: tuple[int, int], device: torch.device) -> Draws:
    """Fresh draws for `batch` images of `size` (H, W)."""
    rates = torch.linspace(0, config.drop_path, sum(config.backbone_depths), device=device)
    blocks, hidden = len(rates), config.grade_hidden // 2
    grid = (size[0] // STRIDE, size[1] // STRIDE)
    return Draws(
        time=torch.rand(batch, device=device) * MAX_TIME,
        noise=torch.randn(batch, config.feature_dim, *grid, device=device),
        drop_path=torch.rand(blocks, batch, device=device) >= rates[:, None],
        dropout=torch.rand(batch, hidden, device=device) >= config.grade_dropout,
    )


def noised_labels(model: ImoTwin, labels: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
    """x_t (B, C, h, w) of eq. 4 and its log-SNR (B,); labels (B, H, W)."""
    level = log_snr(draws.time)
    alpha, sigma = (v[:, None, None, None] for v in alpha_sigma(level))
    # (B, H, W) -> (B, h, w) as nearest resizing does
    x0 = model.embed_labels(labels[:, ::STRIDE, ::STRIDE])
    return alpha * x0 + sigma * draws.noise, level


def losses(model: ImoTwin, batch: dict[str, Tensor], draws: Draws) -> dict[str, Tensor]:
    """Both training losses of a batch as it travels (uint8).

    `segmentation`: cross entropy summed over the labelled pixels over the number of all pixels;
    `grade`: mean cross entropy.
    """
    encoded = model.encode(*normalise(batch["fundus"], batch["oct"]), draws)
    x_t, level = noised_labels(model, batch["mask"], draws)
    logits = model.denoise(encoded["fused_feature"], x_t, level).float()
    mask = batch["mask"]
    logits = F.interpolate(logits, size=mask.shape[1:], mode="bilinear", align_corners=False)
    total = F.cross_entropy(logits, mask, ignore_index=IGNORE, reduction="sum")
    return {
        "segmentation": total / mask.numel(),
        "grade": F.cross_entropy(encoded["grade_logits"].float(), batch["grade"]),
    }


def sample_logits(model: ImoTwin, feature: Tensor, noise: Tensor, steps: int) -> Tensor:
    """Logits (N, classes, h, w) of the last DDIM step, from x_T = noise (N, C, h, w)."""
    c = model.config
    times = sampling_times(steps, c.time_difference, c.start_time)
    levels = log_snr(torch.tensor(times, device=noise.device))
    alphas, sigmas = alpha_sigma(levels)
    x_t = noise
    for k in range(steps):
        logits = model.denoise(feature, x_t, levels[k, :1].expand(len(noise)))
        if k + 1 < steps:
            x0 = model.embed_labels(logits.argmax(dim=1))
            x_t = alphas[k, 1] * x0 + sigmas[k, 1] * (x_t - alphas[k, 0] * x0) / sigmas[k, 0]
    return logits


def predict(
    model: ImoTwin, batch: dict[str, Tensor], noise: Tensor, steps: int, samples: int
) -> dict[str, Tensor]:
    """What imo_jax's `predict` gives, from x_T = noise (B * samples, C, h, w); maps channels first.

    probabilities (B, classes, H, W), entropy and mutual_information (B, H, W),
    grade_probabilities (B, grades).
    """
    encoded = model.encode(*normalise(batch["fundus"], batch["oct"]))
    feature = encoded["fused_feature"].repeat_interleave(samples, dim=0)
    logits = sample_logits(model, feature, noise, steps).float()
    size = batch["fundus"].shape[1:3]
    logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
    # (B * samples, classes, H, W) -> (B, samples, classes, H, W)
    each = logits.softmax(dim=1).unflatten(0, (-1, samples))
    mean = each.mean(dim=1)
    entropy = torch.special.entr(mean).sum(dim=1)
    expected = torch.special.entr(each).sum(dim=2).mean(dim=1)
    return {
        "probabilities": mean,
        "entropy": entropy,
        "mutual_information": (entropy - expected).clamp(min=0),
        "grade_probabilities": encoded["grade_logits"].float().softmax(dim=-1),
    }

"""Named starting points of a screening run; every setting can still be changed by its flag."""

import dataclasses

from experiments.screening.config import (
    RawVolumesConfig,
    ScreeningConfig,
    ScreeningDataConfig,
    ScreeningEvaluationConfig,
)
from imo_jax.augment.scan_config import ScanAugmentConfig
from imo_jax.models.semt.config import SIZES
from imo_jax.train.loop import LoopConfig
from imo_jax.train.optimiser import OptimiserConfig

# Not the AUC: on a small validation split it soon reaches 1 and can choose no more.
SELECTION = {"best_metric": "case_brier", "best_mode": "min"}


def default() -> ScreeningConfig:
    """A size for two CPU cores and a few minutes."""
    return ScreeningConfig(
        data=ScreeningDataConfig(
            scan_size=64, cube_slices=32, cube_depth=64, cube_width=32, batch_size=32
        ),
        augment=ScanAugmentConfig(),
        model=SIZES["tiny"],
        optimiser=OptimiserConfig(learning_rate=2e-3, warmup_steps=30),
        loop=LoopConfig(train_steps=400, eval_every=100, save_every=100, **SELECTION),
    )


def paper() -> ScreeningConfig:
    """The paper's network at 224 pixels, for a GPU; give it ImageNet weights with --pretrained."""
    base = default()
    return dataclasses.replace(
        base,
        data=ScreeningDataConfig(),
        # A Cirrus cube of the optic disc; a step of 32 crops in eight parts (docs/semt.md).
        raw=RawVolumesConfig(200, 1024, 200, raw_crop=(64, 512, 96), raw_accumulation=8),
        model=SIZES["resnet18"],
        optimiser=OptimiserConfig(learning_rate=1e-4, warmup_steps=500, ema_decay=0.0),
        loop=LoopConfig(
            train_steps=20_000, eval_every=1000, save_every=1000, patience=5, **SELECTION
        ),
        # 25 of a volume's 200 B-scans: all of them, twenty times, would be six times the training.
        evaluation=ScreeningEvaluationConfig(validation_stride=8),
    )


PRESETS = {"default": default, "paper": paper}

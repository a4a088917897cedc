"""Named starting points of a run; every setting can still be changed by its flag."""

import dataclasses
from typing import Any

from experiments.config import (
    DataConfig,
    GraderRunConfig,
    RunConfig,
    SegmenterRunConfig,
    SquaresConfig,
)
from imo_jax.augment.config import RELEASED, AugmentConfig
from imo_jax.models.graders.config import GraderConfig
from imo_jax.models.imo.config import SIZES
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.train.imo_objective import ObjectiveConfig
from imo_jax.train.loop import LoopConfig
from imo_jax.train.optimiser import OptimiserConfig


def default() -> RunConfig:
    """What was measured to be better (docs/experiments.md), in a size for two CPU cores."""
    return RunConfig(
        # A disc is a sixth of the photograph: in a square around it the same pixels show three
        # times as much of it.
        squares=SquaresConfig(region="disc", locator_steps=150),
        data=DataConfig(image_size=128, batch_size=4),
        # Mild: a colour shift as strong as the released one costs more than it brings in a run of a
        # few epochs. Whole images, since the OCT shows the whole disc whatever a crop shows.
        augment=AugmentConfig(
            crop_size=128,
            crop_mode="none",
            scale_min=0.9,
            scale_max=1.15,
            rotate_degrees=10.0,
            brightness=20.0,
            contrast=0.25,
            saturation=0.25,
            hue_degrees=10.0,
        ),
        model=dataclasses.replace(
            SIZES["tiny"],
            auxiliary_head=True,
            merged_conv=True,
            fine_stride=1,
            grade_gradient=0.1,
            grade_shapes=True,
            signal_scale=0.1,
            time_difference=0,
            start_time=0.97,
        ),
        objective=ObjectiveConfig(label_grid="mean", auxiliary_dice_weight=0.4),
        optimiser=OptimiserConfig(learning_rate=3e-3, warmup_steps=60),
        loop=LoopConfig(
            train_steps=600, eval_every=300, save_every=150, best_metric="score", best_mode="max"
        ),
    )


def released() -> RunConfig:
    """The released code: batch 1, lr 6e-5, 100,000 steps, ignored pixels dilute the loss.

    Its crops mostly contain no disc and its OCT is not mirrored with the photograph. Unlike the
    released trainer, the checkpoint is chosen on the validation split, not on the test split.
    """
    return RunConfig(
        data=DataConfig(image_size=1024, oct_depth=256, oct_width=256, batch_size=1),
        augment=RELEASED,
        model=SIZES["convnext_tiny"],
        objective=ObjectiveConfig(
            dice_weight=0.0, auxiliary_weight=0.0, self_aligned=0.0, divide_by="all"
        ),
        optimiser=OptimiserConfig(
            learning_rate=6e-5,
            lr_decay="poly",
            lr_power=1.0,
            warmup_steps=1500,
            weight_decay=0.01,
            weight_decay_on="released",
            clip_norm=0.0,
            ema_decay=0.0,
        ),
        loop=LoopConfig(
            train_steps=100_000,
            eval_every=5000,
            save_every=1000,
            log_every=50,
            best_metric="score",
        ),
    )


def paper() -> RunConfig:
    """As the paper says where it differs from the code: lr 1e-5, batch 6, channel attention
    "to each modality"."""
    base = released()
    return dataclasses.replace(
        base,
        data=dataclasses.replace(base.data, batch_size=6),
        model=dataclasses.replace(base.model, shared_channel_attention=False),
        optimiser=dataclasses.replace(base.optimiser, learning_rate=1e-5),
    )


PRESETS = {"default": default, "released": released, "paper": paper}


def segmenter() -> SegmenterRunConfig:
    """The default recipe's photographs, steps and losses, for a segmenter in a size for CPUs."""
    return SegmenterRunConfig(**_shared(default()), model=SegmenterConfig(size="tiny"))


def grader() -> GraderRunConfig:
    """The default recipe's photographs and steps, for a grader in a size for CPUs."""
    return GraderRunConfig(**_shared(default()), model=GraderConfig(size="tiny"))


def _shared(config: RunConfig) -> dict[str, Any]:
    """What a comparison must not differ in: data, augmentation, optimiser, length."""
    names = ("seed", "data", "augment", "optimiser", "loop")
    return {name: getattr(config, name) for name in names}


SEGMENTER_PRESETS = {"default": segmenter}
GRADER_PRESETS = {"default": grader}

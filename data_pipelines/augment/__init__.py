"""Augmentation in numpy: fundus and mask move together, the OCT volume follows a mirror.

Everything here is a function of (example, config, generator): no global state, no TensorFlow.
"""

from data_pipelines.augment.augment import augment, crop_side
from data_pipelines.augment.config import CROP_MODES, RELEASED, AugmentConfig
from data_pipelines.augment.scan import (
    ScanAugmentConfig,
    augment_cube,
    augment_scan,
    mirror_width,
)

__all__ = [
    "CROP_MODES",
    "RELEASED",
    "AugmentConfig",
    "ScanAugmentConfig",
    "augment",
    "augment_cube",
    "augment_scan",
    "crop_side",
    "mirror_width",
]

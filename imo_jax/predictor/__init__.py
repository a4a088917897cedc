"""Prediction from Python: `imo_jax.load(path)` gives a predictor, which gives results.

This room alone of `imo_jax` reads eyes from files, by the readers of `data_pipelines` (numpy only,
never TensorFlow), so that what it sees is what training saw.
"""

from imo_jax.predictor.eye_result import EyeResult, VerticalCdr
from imo_jax.predictor.eyes import EyePredictor, EyeSettings
from imo_jax.predictor.inputs import NotRead
from imo_jax.predictor.load import load
from imo_jax.predictor.volume_batches import VolumeSettings
from imo_jax.predictor.volume_result import VolumeResult
from imo_jax.predictor.volumes import VolumePredictor

__all__ = [
    "EyePredictor", "EyeResult", "EyeSettings", "NotRead", "VerticalCdr", "VolumePredictor",
    "VolumeResult", "VolumeSettings", "load",
]  # fmt: skip

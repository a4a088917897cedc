"""IMO (ISBI 2026): encoders, CMFA, grading head, denoising decoder, sampler."""

from imo_jax.models.imo.config import SIZES, IMOConfig
from imo_jax.models.imo.model import IMO

__all__ = ["IMO", "SIZES", "IMOConfig"]

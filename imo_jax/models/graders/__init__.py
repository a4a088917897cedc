"""Graders to compare IMO with (Table 2 of the paper): an encoder each, and a linear layer."""

from imo_jax.models.graders.config import SIZES, GraderConfig
from imo_jax.models.graders.grader import Grader

__all__ = ["SIZES", "Grader", "GraderConfig"]

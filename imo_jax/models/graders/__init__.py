"""Graders to compare IMO with (Table 2 of the paper): a backbone each, and a linear layer."""

from imo_jax.models.graders.config import SIZES, GraderConfig
from imo_jax.models.graders.grader import Grader
from imo_jax.models.graders.networks import NETWORKS

__all__ = ["NETWORKS", "SIZES", "Grader", "GraderConfig"]

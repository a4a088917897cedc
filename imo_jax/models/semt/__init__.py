"""SEMT (MICCAI 2019): glaucoma screening from OCT volumes, and the networks it is compared with."""

from imo_jax.models.semt.config import SIZES, SemtConfig
from imo_jax.models.semt.inputs import normalise
from imo_jax.models.semt.networks import NETWORKS, network

__all__ = ["NETWORKS", "SIZES", "SemtConfig", "network", "normalise"]

"""The segmenters of IMO's Table 1: one config, one way to call each of them."""

from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.models.segmenters.networks import NETWORKS, network
from imo_jax.models.segmenters.sizes import SIZES

__all__ = ["NETWORKS", "SIZES", "SegmenterConfig", "network"]

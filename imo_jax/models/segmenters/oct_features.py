"""What the OCT adds to a segmenter made for photographs alone."""

import jax

from imo_jax.layers.oct_stem import OctStem
from imo_jax.models.segmenters.config import SegmenterConfig


def oct_features(
    config: SegmenterConfig,
    features: int,
    volume: jax.Array | None,
    has_oct: jax.Array | None,
    *,
    train: bool,
    axis_name: str | None,
) -> jax.Array | None:
    """Features (B, h, w, features) to add after the calling network's stem; None = nothing.

    Their layers are the calling network's submodule `oct_stem`.
    """
    if not config.with_oct or volume is None:
        return None
    stem = OctStem(features, dtype=config.compute_dtype, name="oct_stem")
    return stem(volume, has_oct, train=train, axis_name=axis_name)

"""The encoder of a segmenter, with the OCT beside the photograph where the config says so."""

import jax

from imo_jax.layers.oct_stem import OctStem
from imo_jax.models.segmenters.config import SegmenterConfig


def encode(
    config: SegmenterConfig,
    fundus: jax.Array,
    volume: jax.Array | None,
    has_oct: jax.Array | None,
    *,
    train: bool,
    example_keys: jax.Array | None,
    axis_name: str | None,
    dilate_last: bool = False,
) -> dict[int, jax.Array]:
    """Maps by stride, by the calling network's submodules `backbone` and `oct_stem`.

    Arguments as `networks.NETWORKS` says; dilate_last: see `Encoder.module`.
    """
    encoder, mode = config.backbone, {"train": train, "axis_name": axis_name}
    added = oct_features(config, encoder.stem, volume, has_oct, **mode)
    backbone = encoder.module(
        drop_path=config.sizes.drop_path, dilate_last=dilate_last, dtype=config.compute_dtype,
        name="backbone",
    )  # fmt: skip
    return backbone(fundus, added, example_keys=example_keys, **mode).maps


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


def from_stride(maps: dict[int, jax.Array], stride: int) -> list[jax.Array]:
    """The maps that are no finer than a stride, fine to coarse."""
    return [x for at, x in maps.items() if at >= stride]

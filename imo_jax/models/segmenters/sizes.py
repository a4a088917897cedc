"""Sizes of the segmenters by name: plain values. The first of each network is its default."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class UNetPlusPlusSize:
    """widths: channels of the rows, fine to coarse. It is its own encoder."""

    widths: tuple[int, ...]
    dropout: float = 0.0


# The others have an encoder, by its name in backbones/table.py, and the drop-path rate of its last
# block; None = the encoder's usual one.


@dataclasses.dataclass(frozen=True)
class UNetSize:
    """Channels of the decoder at strides 1, 2, 4, ...; beyond the last they stay; finest stride."""

    encoder: str
    widths: tuple[int, ...]
    finest: int = 1
    dropout: float = 0.0
    drop_path: float | None = None

    def width_at(self, stride: int) -> int:
        """Channels of the decoder at a stride."""
        return self.widths[min(stride.bit_length(), len(self.widths)) - 1]


@dataclasses.dataclass(frozen=True)
class DeepLabSize:
    """Channels of ASPP and of the low-level branch, ASPP's rates."""

    encoder: str
    features: int
    low_level: int
    rates: tuple[int, ...]
    dropout: float = 0.5
    drop_path: float | None = None


@dataclasses.dataclass(frozen=True)
class UPerNetSize:
    """Channels of the pyramid, of the auxiliary head; pooled grids."""

    encoder: str
    features: int
    auxiliary: int
    pools: tuple[int, ...] = (1, 2, 3, 6)
    dropout: float = 0.1
    drop_path: float | None = 0.4


@dataclasses.dataclass(frozen=True)
class SegFormerSize:
    """The decoder's channels."""

    encoder: str
    features: int
    dropout: float = 0.1
    drop_path: float | None = 0.1


@dataclasses.dataclass(frozen=True)
class SegNeXtSize:
    """Channels of the decoder and rank of its factorisation; norm groups."""

    encoder: str
    features: int
    rank: int = 16
    groups: int = 32
    dropout: float = 0.1
    drop_path: float | None = 0.1


# network -> size name -> values. Every network has "tiny", which trains on two CPU cores.
SIZES = {
    # Ronneberger et al. 2015, as in segmentation_models_pytorch
    "unet": {
        "resnet34": UNetSize("resnet34", (16, 32, 64, 128, 256)),
        "tiny": UNetSize("resnet10_w16", (8, 12, 16, 24, 32), finest=2),
        "small": UNetSize("efficientnet_lite0", (16, 24, 32, 48, 64), finest=2),
    },
    # Zhou et al. 2018
    "unetpp": {
        "standard": UNetPlusPlusSize((32, 64, 128, 256, 512)),
        "tiny": UNetPlusPlusSize((6, 12, 16, 24, 32)),
    },
    # Chen et al. 2018, at output stride 16
    "deeplab": {
        "resnet50": DeepLabSize("resnet50", 256, 48, (6, 12, 18)),
        "tiny": DeepLabSize("resnet10_w24", 64, 16, (1, 2, 3), dropout=0.1),
    },
    # Xiao et al. 2018, on ConvNeXt as in Liu et al. 2022
    "upernet": {
        "convnext_tiny": UPerNetSize("convnext_tiny", 512, 256),
        "convnext_tiny_256": UPerNetSize("convnext_tiny", 256, 256),
        "tiny": UPerNetSize("convnext_mini", 32, 16, drop_path=0.1),
    },
    # Xie et al. 2021, table 6
    "segformer": {
        "b2": SegFormerSize("mit_b2", 768),
        "b0": SegFormerSize("mit_b0", 256),
        "b1": SegFormerSize("mit_b1", 256),
        "b3": SegFormerSize("mit_b3", 768),
        "b4": SegFormerSize("mit_b4", 768),
        "b5": SegFormerSize("mit_b5", 768),
        "b2_256": SegFormerSize("mit_b2", 256),
        "b5_256": SegFormerSize("mit_b5", 256),
        "tiny": SegFormerSize("mit_mini", 96),
    },
    # Guo et al. 2022, tables 2 and 3
    "segnext": {
        "b": SegNeXtSize("mscan_b", 512),
        "t": SegNeXtSize("mscan_t", 256),
        "s": SegNeXtSize("mscan_s", 256),
        "l": SegNeXtSize("mscan_l", 1024, drop_path=0.3),
        "tiny": SegNeXtSize("mscan_mini", 64),
    },
}
WITH_ENCODER = tuple(name for name in SIZES if name != "unetpp")

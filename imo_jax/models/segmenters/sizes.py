"""Sizes of the segmenters by name: plain values. The first of each network is its default."""

import dataclasses

from imo_jax.backbones import convnext, mit, mscan, resnet


@dataclasses.dataclass(frozen=True)
class UNetPlusPlusSize:
    """widths: channels of the rows, fine to coarse."""

    widths: tuple[int, ...]
    dropout: float = 0.0


@dataclasses.dataclass(frozen=True)
class DeepLabSize:
    """ResNet (block, depths, width), channels of ASPP and of the low-level branch, ASPP's rates."""

    block: str
    depths: tuple[int, ...]
    width: int
    features: int
    low_level: int
    rates: tuple[int, ...]
    dropout: float = 0.5


@dataclasses.dataclass(frozen=True)
class UPerNetSize:
    """ConvNeXt (depths, widths), channels of the pyramid, of the auxiliary head; pooled grids."""

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    features: int
    auxiliary: int
    pools: tuple[int, ...] = (1, 2, 3, 6)
    dropout: float = 0.1
    drop_path: float = 0.4


@dataclasses.dataclass(frozen=True)
class SegFormerSize:
    """MiT's size and the decoder's channels."""

    backbone: mit.MiTSize
    features: int
    dropout: float = 0.1
    drop_path: float = 0.1


@dataclasses.dataclass(frozen=True)
class SegNeXtSize:
    """MSCAN's size; channels of the decoder and rank of its factorisation; norm groups."""

    backbone: mscan.MSCANSize
    features: int
    rank: int = 16
    groups: int = 32
    dropout: float = 0.1
    drop_path: float = 0.1


CONVNEXT_TINY = convnext.SIZES["tiny"]

# network -> size name -> values. Every network has "tiny", which trains on two CPU cores.
SIZES = {
    # Zhou et al. 2018
    "unetpp": {
        "standard": UNetPlusPlusSize((32, 64, 128, 256, 512)),
        "tiny": UNetPlusPlusSize((6, 12, 16, 24, 32)),
    },
    # Chen et al. 2018, at output stride 16
    "deeplab": {
        "resnet50": DeepLabSize(*resnet.SIZES["resnet50"], 64, 256, 48, (6, 12, 18)),
        "tiny": DeepLabSize("basic", (1, 1, 1, 1), 24, 64, 16, (1, 2, 3), dropout=0.1),
    },
    # Xiao et al. 2018, on ConvNeXt as in Liu et al. 2022
    "upernet": {
        "convnext_tiny": UPerNetSize(*CONVNEXT_TINY, 512, 256),
        "convnext_tiny_256": UPerNetSize(*CONVNEXT_TINY, 256, 256),
        "tiny": UPerNetSize((1, 1, 2, 1), (24, 48, 96, 128), 32, 16, drop_path=0.1),
    },
    # Xie et al. 2021, table 6
    "segformer": {
        "b2": SegFormerSize(mit.SIZES["b2"], 768),
        "b0": SegFormerSize(mit.SIZES["b0"], 256),
        "b1": SegFormerSize(mit.SIZES["b1"], 256),
        "b3": SegFormerSize(mit.SIZES["b3"], 768),
        "b4": SegFormerSize(mit.SIZES["b4"], 768),
        "b5": SegFormerSize(mit.SIZES["b5"], 768),
        "b2_256": SegFormerSize(mit.SIZES["b2"], 256),
        "b5_256": SegFormerSize(mit.SIZES["b5"], 256),
        "tiny": SegFormerSize(mit.SIZES["tiny"], 96),
    },
    # Guo et al. 2022, tables 2 and 3
    "segnext": {
        "b": SegNeXtSize(mscan.SIZES["b"], 512),
        "t": SegNeXtSize(mscan.SIZES["t"], 256),
        "s": SegNeXtSize(mscan.SIZES["s"], 256),
        "l": SegNeXtSize(mscan.SIZES["l"], 1024, drop_path=0.3),
        "tiny": SegNeXtSize(mscan.SIZES["tiny"], 64),
    },
}

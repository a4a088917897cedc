"""Names of EfficientNet-Lite in public libraries."""

import re

import numpy as np

from imo_jax.backbones.efficientnet_lite import SIZES, scaled_stages
from imo_jax.weights.family import Family, Shapes
from imo_jax.weights.naming import Naming, match

BLOCK = "block{i}"
CLASSIFIER = "classifier"


def _naming(block: str, parts: dict[str, str], outer: dict[str, str], head: str, **more) -> Naming:
    """A naming with these names of a block, its parts, the layers outside, and the classifier."""
    return Naming(
        modules={f"{BLOCK}/{here}": f"{block}.{there}" for here, there in parts.items()} | outer,
        arrays={
            f"{CLASSIFIER}/kernel": (f"{head}.weight", "linear"),
            f"{CLASSIFIER}/bias": (f"{head}.bias", "vector"),
        },
        heads=(head,),
        pointwise=True,
        **more,
    )


# efficientnet-lite-pytorch, whose names are efficientnet-pytorch's and so of many derived files.
EFFICIENTNET_PYTORCH = _naming(
    "_blocks.{i}",
    {
        "expand": "_expand_conv",
        "expand_norm": "_bn0",
        "depthwise": "_depthwise_conv",
        "depthwise_norm": "_bn1",
        "contract": "_project_conv",
        "contract_norm": "_bn2",
    },
    {
        "stem_conv": "_conv_stem",
        "stem_norm": "_bn0",
        "head_conv": "_conv_head",
        "head_norm": "_bn1",
    },
    "_fc",
)


def _in_one_row(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """timm's `blocks.STAGE.BLOCK` counted through, the first block's parts as in the others."""
    pattern = re.compile(r"blocks\.(\d+)\.(\d+)\.(.*)")
    places = sorted({(int(m[1]), int(m[2])) for name in state if (m := pattern.match(name))})
    number = {place: i for i, place in enumerate(places)}
    # Without an expansion its projection is called as the others' expansion, and so on.
    first = {"conv_pw": "conv_pwl", "bn1": "bn2", "bn2": "bn3"}
    renamed = {}
    for name, array in state.items():
        if (m := pattern.match(name)) is not None:
            stage, block, rest = int(m[1]), int(m[2]), m[3]
            part, _, leaf = rest.partition(".")
            part = first.get(part, part) if stage == 0 else part
            name = f"blocks.{number[stage, block]}.{part}.{leaf}"
        renamed[name] = array
    return renamed


TIMM = _naming(
    "blocks.{i}",
    {
        "expand": "conv_pw",
        "expand_norm": "bn1",
        "depthwise": "conv_dw",
        "depthwise_norm": "bn2",
        "contract": "conv_pwl",
        "contract_norm": "bn3",
    },
    {"stem_conv": "conv_stem", "stem_norm": "bn1", "head_conv": "conv_head", "head_norm": "bn2"},
    "classifier",
    prepare=_in_one_row,
)


def size(shapes: Shapes) -> str:
    """Name of backbones.efficientnet_lite.SIZES, or the blocks' channels in words."""
    widths = {}
    for _, *inner, leaf in shapes:
        numbers = match(f"{BLOCK}/contract", "/".join(inner))
        if numbers is not None and leaf == "kernel":
            widths[numbers["i"]] = shapes["params", *inner, "kernel"][0]
    found = [widths[i] for i in sorted(widths)]
    for name, factors in SIZES.items():
        if found == [c for blocks, *_, c in scaled_stages(*factors) for _ in range(blocks)]:
            return name
    return f"EfficientNet-Lite of {len(found)} blocks with channels {', '.join(map(str, found))}"


EFFICIENTNET_LITE = Family(
    name="EfficientNet-Lite",
    marks=(("params", "stem_norm", "scale"), ("params", "block1", "expand_norm", "scale")),
    stem=("params", "stem_conv", "kernel"),
    namings={"efficientnet_pytorch": EFFICIENTNET_PYTORCH, "timm": TIMM},
    size=size,
    optional=("head_conv", "head_norm", CLASSIFIER),
)

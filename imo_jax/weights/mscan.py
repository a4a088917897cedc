"""Names of MSCAN, SegNeXt's encoder: the authors', which a later copy changed in one place."""

from imo_jax.backbones.mscan import SIZES, STRIPS
from imo_jax.weights.family import Family, Shapes
from imo_jax.weights.naming import Naming, depths

BLOCK, THEIR_BLOCK = "stage{i}_block{j}", "block{i+1}.{j}"
GATE = f"{THEIR_BLOCK}.attn.spatial_gating_unit"

_STRIPS = {
    f"{BLOCK}/attention/{line}{k}": f"{GATE}.conv{place}_{part}"
    for place, k in enumerate(STRIPS)
    for part, line in ((1, "row"), (2, "column"))
}
ORIGINAL = Naming(
    modules={
        "stem": "patch_embed1.proj.0",
        "stem_norm": "patch_embed1.proj.1",
        "patches0": "patch_embed1.proj.3",
        "patches0_norm": "patch_embed1.proj.4",
        "patches{i}": "patch_embed{i+1}.proj",
        "patches{i}_norm": "patch_embed{i+1}.norm",
        f"{BLOCK}/attention_norm": f"{THEIR_BLOCK}.norm1",
        f"{BLOCK}/inward": f"{THEIR_BLOCK}.attn.proj_1",
        f"{BLOCK}/attention/local": f"{GATE}.conv0",
        **_STRIPS,
        f"{BLOCK}/attention/mix": f"{GATE}.conv3",
        f"{BLOCK}/outward": f"{THEIR_BLOCK}.attn.proj_2",
        f"{BLOCK}/mlp_norm": f"{THEIR_BLOCK}.norm2",
        f"{BLOCK}/expand": f"{THEIR_BLOCK}.mlp.fc1",
        f"{BLOCK}/depthwise": f"{THEIR_BLOCK}.mlp.dwconv.dwconv",
        f"{BLOCK}/contract": f"{THEIR_BLOCK}.mlp.fc2",
        "norm{i}": "norm{i+1}",
    },
    arrays={
        f"{BLOCK}/attention_scale": (f"{THEIR_BLOCK}.layer_scale_1", "vector"),
        f"{BLOCK}/mlp_scale": (f"{THEIR_BLOCK}.layer_scale_2", "vector"),
    },
    heads=("head", "decode_head"),
    prefixes=("backbone.",),
    aliases=((r"\.mlp\.dwconv\.(?!dwconv)", ".mlp.dwconv.dwconv."),),
    pointwise=True,
)


def size(shapes: Shapes) -> str:
    """Name of backbones.mscan.SIZES, or blocks and channels in words."""
    blocks = depths(shapes, f"{BLOCK}/mlp_norm/scale")
    widths = tuple(shapes["params", f"norm{i}", "scale"][0] for i in range(4))
    known = (n for n, member in SIZES.items() if (member.depths, member.widths) == (blocks, widths))
    name = next(known, None)
    return f"mscan_{name}" if name else f"MSCAN of blocks {blocks} and channels {widths}"


MSCAN = Family(
    name="MSCAN",
    marks=tuple(("params", f"norm{i}", "scale") for i in range(4)),
    stem=("params", "stem", "kernel"),
    namings={"original": ORIGINAL},
    size=size,
)

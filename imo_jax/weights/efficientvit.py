"""Names of EfficientViT (cascaded group attention), and its biases for another window."""

import numpy as np

from imo_jax.backbones.efficientvit import SIZES
from imo_jax.layers.resize import interpolation_matrix
from imo_jax.weights.family import Family, Shapes
from imo_jax.weights.naming import Naming, depths

BLOCK = "stage{i}_block{j}"
BIAS = "windows/attention/bias"

# Modules of a block and of a downsampling, below their own paths: here -> there.
IN_BLOCK = {
    "mix0": "dw0.m",
    "mlp0/expand": "ffn0.m.pw1",
    "mlp0/contract": "ffn0.m.pw2",
    "windows/attention/qkv{k}": "mixer.m.attn.qkvs.{k}",
    "windows/attention/query{k}": "mixer.m.attn.dws.{k}",
    "windows/attention/output": "mixer.m.attn.proj.1",
    "mix1": "dw1.m",
    "mlp1/expand": "ffn1.m.pw1",
    "mlp1/contract": "ffn1.m.pw2",
}
BEFORE = {"mix_before": "0.m", "mlp_before/expand": "1.m.pw1", "mlp_before/contract": "1.m.pw2"}
MERGE = {"expand": "conv1", "depthwise": "conv2", "contract": "conv3"}
SQUEEZE = {"squeeze_excite/squeeze": "se.fc1", "squeeze_excite/excite": "se.fc2"}
AFTER = {"mix_after": "0.m", "mlp_after/expand": "1.m.pw1", "mlp_after/contract": "1.m.pw2"}
DOWN = "downsample{i}"


def _below(path: str, name: str, modules: dict[str, str]) -> dict[str, str]:
    return {f"{path}/{ours}": f"{name}.{theirs}" for ours, theirs in modules.items()}


def _conv_norms(modules: dict[str, str], conv: str) -> dict[str, str]:
    """A convolution and its norm, for each module of both."""
    found = {}
    for ours, theirs in modules.items():
        found |= {f"{ours}/conv": f"{theirs}.{conv}", f"{ours}/norm": f"{theirs}.bn"}
    return found


def _naming(
    conv: str, stem: str, blocks: dict[str, str], before: str, merge: str, after: str, head: str
) -> Naming:
    """A naming with these names of a convolution, the parts, and the classifier."""
    paired = {"stem{i}": stem}
    for path, name in blocks.items():
        paired |= _below(path, name, IN_BLOCK)
    for name, modules in ((before, BEFORE), (merge, MERGE), (after, AFTER)):
        paired |= _below(DOWN, name, modules)
    return Naming(
        modules={
            **_conv_norms(paired, conv),
            **_below(DOWN, merge, SQUEEZE),
            "final_norm": "head.bn",
        },
        arrays={
            f"{path}/{BIAS}": (f"{name}.mixer.m.attn.attention_biases", "table")
            for path, name in blocks.items()
        },
        heads=(head,),
        pointwise=True,
    )


TIMM = _naming(
    "conv",
    "patch_embed.conv{i+1}",
    {BLOCK: "stages.{i}.blocks.{j}"},
    "stages.{i}.downsample.res1",
    "stages.{i}.downsample.patchmerge",
    "stages.{i}.downsample.res2",
    "head.linear",
)
# The authors' files: a downsampling is the first three modules of the blocks after it.
ORIGINAL = _naming(
    "c",
    "patch_embed.{2i}",
    {"stage0_block{j}": "blocks1.{j}", BLOCK: "blocks{i+1}.{j+3}"},
    "blocks{i+1}.0",
    "blocks{i+1}.1",
    "blocks{i+1}.2",
    "head.l",
)


def size(shapes: Shapes) -> str:
    """Name of backbones.efficientvit.SIZES, or blocks, channels and heads in words."""
    blocks = depths(shapes, f"{BLOCK}/mix0/norm/scale")
    first = [f"stage{i}_block0" for i in range(len(blocks))]
    widths = tuple(shapes["params", block, "mix0", "norm", "scale"][0] for block in first)
    heads = tuple(shapes["params", block, *BIAS.split("/")][0] for block in first)
    attention = ("windows", "attention")
    kernels = tuple(
        shapes["params", first[0], *attention, f"query{k}", "conv", "kernel"][-1]
        for k in range(heads[0])
    )
    for name, fields in SIZES.items():
        of_first = fields["kernels"][: heads[0]]
        if (blocks, widths, heads, kernels) == (
            fields["depths"], fields["widths"], fields["heads"], of_first
        ):  # fmt: skip
            return name
    return f"EfficientViT of blocks {blocks}, channels {widths}, heads {heads}, kernels {kernels}"


def resize_distances(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Biases (heads, n^2) by distance in a window for another one; unchanged where impossible.

    The plane of all offsets, to which distances are mirrored, is resized (bilinear).
    """
    side, new_side = round(array.shape[1] ** 0.5), round(shape[1] ** 0.5)
    if side**2 != array.shape[1] or new_side**2 != shape[1]:
        return array
    mirrored = np.abs(np.arange(1 - side, side))
    # (heads, n^2) -> (heads, n, n) -> (heads, 2n - 1, 2n - 1)
    plane = array.reshape(-1, side, side)[:, mirrored][:, :, mirrored]
    # Rows of the offsets from 0 on: (2m - 1, 2n - 1) -> (m, 2n - 1)
    matrix = interpolation_matrix(2 * side - 1, 2 * new_side - 1)[new_side - 1 :]
    # (m, 2n - 1) x (heads, 2n - 1, 2n - 1) x (m, 2n - 1) -> (heads, m, m) -> (heads, m^2)
    return np.einsum("yi,hij,xj->hyx", matrix, plane, matrix).reshape(array.shape[0], -1)


EFFICIENTVIT = Family(
    name="EfficientViT",
    marks=(("params", "stage0_block0", *BIAS.split("/")),),
    stem=("params", "stem0", "conv", "kernel"),
    namings={"timm": TIMM, "original": ORIGINAL},
    size=size,
    optional=("final_norm",),
    resized={f"{BLOCK}/{BIAS}": resize_distances},
)

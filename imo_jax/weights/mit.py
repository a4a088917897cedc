"""Names of MiT, SegFormer's encoder, in public libraries."""

from collections.abc import Sequence

import numpy as np

from imo_jax.backbones.mit import SIZES
from imo_jax.weights.family import Family, Shapes
from imo_jax.weights.naming import Naming, depths

BLOCK = "stage{i}_block{j}"
STEM = ("params", "patches0", "kernel")
PARTS = (
    "attention_norm", "attention/query", "attention/key", "attention/value", "attention/output",
    "attention/reduce", "attention/reduce_norm", "mlp_norm", "expand", "depthwise", "contract",
)  # fmt: skip


def _modules(
    patches: str, patches_norm: str, block: str, parts: Sequence[str], norm: str
) -> dict[str, str]:
    """Module here -> module there; `parts` are those of a block, in the order of PARTS."""
    blocks = {
        f"{BLOCK}/{here}": f"{block}.{there}" for here, there in zip(PARTS, parts, strict=True)
    }
    return {"patches{i}": patches, "patches{i}_norm": patches_norm, **blocks, "norm{i}": norm}


HUGGING_FACE = Naming(
    modules=_modules(
        "encoder.patch_embeddings.{i}.proj",
        "encoder.patch_embeddings.{i}.layer_norm",
        "encoder.block.{i}.{j}",
        (
            "layer_norm_1", "attention.self.query", "attention.self.key", "attention.self.value",
            "attention.output.dense", "attention.self.sr", "attention.self.layer_norm",
            "layer_norm_2", "mlp.dense1", "mlp.dwconv.dwconv", "mlp.dense2",
        ),
        "encoder.layer_norm.{i}",
    ),
    heads=("classifier", "decode_head"),
    prefixes=("segformer.",),
    # What transformers 5 has in memory.
    aliases=(
        (r"\bstages\.(\d+)\.patch_embeddings\b", r"encoder.patch_embeddings.\1"),
        (r"\bstages\.(\d+)\.blocks\b", r"encoder.block.\1"),
        (r"\bstages\.(\d+)\.layer_norm\b", r"encoder.layer_norm.\1"),
        (r"\.layernorm_before\.", ".layer_norm_1."),
        (r"\.layernorm_after\.", ".layer_norm_2."),
        (r"\.q_proj\.", ".self.query."),
        (r"\.k_proj\.", ".self.key."),
        (r"\.v_proj\.", ".self.value."),
        (r"\.o_proj\.", ".output.dense."),
        (r"\.sequence_reduction\.sequence_reduction\.", ".self.sr."),
        (r"\.sequence_reduction\.layer_norm\.", ".self.layer_norm."),
        (r"\.mlp\.fc(\d)\.", r".mlp.dense\1."),
        (r"^decode_head\.linear_projections\b", "decode_head.linear_c"),
    ),
)  # fmt: skip


def _keys_and_values_apart(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`attn.kv` as `attn.k` and `attn.v`, its first and second half."""
    apart = {}
    for name, array in state.items():
        halves = np.split(np.asarray(array), 2) if ".attn.kv." in name else []
        for part, half in zip("kv", halves, strict=False):
            apart[name.replace(".attn.kv.", f".attn.{part}.")] = half
        if not halves:
            apart[name] = array
    return apart


# The authors' own files.
ORIGINAL = Naming(
    modules=_modules(
        "patch_embed{i+1}.proj",
        "patch_embed{i+1}.norm",
        "block{i+1}.{j}",
        (
            "norm1", "attn.q", "attn.k", "attn.v", "attn.proj", "attn.sr", "attn.norm", "norm2",
            "mlp.fc1", "mlp.dwconv.dwconv", "mlp.fc2",
        ),
        "norm{i+1}",
    ),
    heads=("head", "decode_head"),
    prefixes=("backbone.",),
    prepare=_keys_and_values_apart,
)  # fmt: skip


def size(shapes: Shapes) -> str:
    """Name of backbones.mit.SIZES, or blocks and channels in words."""
    blocks = depths(shapes, f"{BLOCK}/attention_norm/scale")
    widths = tuple(shapes["params", f"norm{i}", "scale"][0] for i in range(4))
    known = (n for n, member in SIZES.items() if (member.depths, member.widths) == (blocks, widths))
    name = next(known, None)
    return f"mit_{name}" if name else f"MiT of blocks {blocks} and channels {widths}"


MIT = Family(
    name="MiT",
    marks=tuple(("params", f"norm{i}", "scale") for i in range(4)),
    stem=STEM,
    namings={"huggingface": HUGGING_FACE, "original": ORIGINAL},
    size=size,
)

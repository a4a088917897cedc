"""Names of BEiT in public libraries, and its relative positions for another image size."""

import re

import numpy as np

from imo_jax.backbones.beit import CLASS_OFFSETS, SIZES, resize_offsets
from imo_jax.weights.family import Family
from imo_jax.weights.naming import Naming
from imo_jax.weights.vit import (
    HUGGING_FACE_ALIASES,
    HUGGING_FACE_BLOCK,
    PYRAMID_MODULES,
    QKV,
    STEM,
    size_by,
)

TABLE = "relative_position_bias_table"
POSITION = "block{i}_relative_position/bias"


def _share(shared: str, each: str, block: str):
    """Gives the one table that all blocks share, as pretraining leaves it, to each of them."""

    def prepare(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if shared not in state:
            return state
        blocks = {found[1] for name in state if (found := re.match(block, name))}
        table = state[shared]
        others = {name: array for name, array in state.items() if name != shared}
        return others | {each.format(i=i): table for i in blocks}

    return prepare


# timm's names are the authors' own.
TIMM = Naming(
    modules={
        "patch": "patch_embed.proj",
        "block{i}/attention_norm": "blocks.{i}.norm1",
        QKV: "blocks.{i}.attn.qkv",
        "block{i}/attention/output": "blocks.{i}.attn.proj",
        "block{i}/mlp_norm": "blocks.{i}.norm2",
        "block{i}/expand": "blocks.{i}.mlp.fc1",
        "block{i}/contract": "blocks.{i}.mlp.fc2",
        "final_norm": "fc_norm",
    },
    arrays={
        "class_token": ("cls_token", "token"),
        f"{QKV}/query_bias": ("blocks.{i}.attn.q_bias", "vector"),
        f"{QKV}/value_bias": ("blocks.{i}.attn.v_bias", "vector"),
        "block{i}/attention_layer_scale": ("blocks.{i}.gamma_1", "vector"),
        "block{i}/mlp_layer_scale": ("blocks.{i}.gamma_2", "vector"),
        POSITION: (f"blocks.{{i}}.attn.{TABLE}", "table"),
    },
    heads=("head",),
    # norm: of the class token, where the mean of the patches was not looked at.
    ignored=("norm", "mask_token", "lm_head"),
    prepare=_share(f"rel_pos_bias.{TABLE}", f"blocks.{{i}}.attn.{TABLE}", r"blocks\.(\d+)\."),
)
LAYER = "encoder.layer.{i}"
LAYER_TABLE = f"{LAYER}.attention.attention.relative_position_bias.{TABLE}"
HUGGING_FACE = Naming(
    modules={
        "patch": "embeddings.patch_embeddings.projection",
        **HUGGING_FACE_BLOCK,
        "final_norm": "pooler.layernorm",
    },
    arrays={
        "class_token": ("embeddings.cls_token", "token"),
        f"{QKV}/query_bias": (f"{LAYER}.attention.attention.query.bias", "vector"),
        f"{QKV}/value_bias": (f"{LAYER}.attention.attention.value.bias", "vector"),
        "block{i}/attention_layer_scale": (f"{LAYER}.lambda_1", "vector"),
        "block{i}/mlp_layer_scale": (f"{LAYER}.lambda_2", "vector"),
        POSITION: (LAYER_TABLE, "table"),
    },
    heads=("classifier",),
    ignored=("layernorm", "embeddings.mask_token", "lm_head"),
    prefixes=("beit.",),
    aliases=(
        (
            r"^layers\.(\d+)\.relative_position",
            r"encoder.layer.\1.attention.attention.relative_position",
        ),
        *HUGGING_FACE_ALIASES,
    ),
    prepare=_share(
        f"encoder.relative_position_bias.{TABLE}", LAYER_TABLE, r"encoder\.layer\.(\d+)\."
    ),
)


def resize_relative(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Biases ((2n - 1)^2 + 3, heads) of a square grid for another one; unchanged if impossible."""

    def side(entries: int) -> int:
        return round((entries - CLASS_OFFSETS) ** 0.5) // 2 + 1

    if any((2 * side(n) - 1) ** 2 + CLASS_OFFSETS != n for n in (array.shape[0], shape[0])):
        return array
    return np.asarray(resize_offsets(array, (side(shape[0]),) * 2))


BEIT = Family(
    name="BEiT",
    marks=(
        ("params", "block0", "attention", "qkv", "query_bias"),
        ("params", "block0_relative_position", "bias"),
    ),
    stem=STEM,
    namings={"timm": TIMM, "huggingface": HUGGING_FACE},
    size=size_by(SIZES, "BEiT"),
    optional=("final_norm", *PYRAMID_MODULES),
    resized={POSITION: resize_relative},
)

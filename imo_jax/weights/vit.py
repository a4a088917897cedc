"""Names of ViT in public libraries, and its position embeddings for another image size."""

from collections.abc import Mapping

import numpy as np

from imo_jax.backbones.patches import TransformerSize
from imo_jax.backbones.vit import SIZES
from imo_jax.layers.bicubic import bicubic
from imo_jax.weights.family import Family, Shapes
from imo_jax.weights.naming import Naming

QKV = "block{i}/attention/qkv"
STEM = ("params", "patch", "kernel")

TIMM = Naming(
    modules={
        "patch": "patch_embed.proj",
        "block{i}/attention_norm": "blocks.{i}.norm1",
        QKV: "blocks.{i}.attn.qkv",
        "block{i}/attention/output": "blocks.{i}.attn.proj",
        "block{i}/mlp_norm": "blocks.{i}.norm2",
        "block{i}/expand": "blocks.{i}.mlp.fc1",
        "block{i}/contract": "blocks.{i}.mlp.fc2",
        "final_norm": "norm",
        "pooled_norm": "fc_norm",
    },
    arrays={
        "class_token": ("cls_token", "token"),
        "position/embedding": ("pos_embed", "sequence"),
    },
    heads=("head",),
    # Of a masked autoencoder (MAE, RETFound) everything but the encoder.
    ignored=(
        "pre_logits", "mask_token", "decoder_embed", "decoder_pos_embed", "decoder_blocks",
        "decoder_norm", "decoder_pred",
    ),
)
LAYER = "encoder.layers.encoder_layer_{i}"
TORCHVISION = Naming(
    modules={
        "patch": "conv_proj",
        "block{i}/attention_norm": f"{LAYER}.ln_1",
        "block{i}/attention/output": f"{LAYER}.self_attention.out_proj",
        "block{i}/mlp_norm": f"{LAYER}.ln_2",
        "block{i}/expand": f"{LAYER}.mlp.0",
        "block{i}/contract": f"{LAYER}.mlp.3",
        "final_norm": "encoder.ln",
    },
    arrays={
        "class_token": ("class_token", "token"),
        "position/embedding": ("encoder.pos_embedding", "sequence"),
        f"{QKV}/kernel": (f"{LAYER}.self_attention.in_proj_weight", "linear"),
        f"{QKV}/bias": (f"{LAYER}.self_attention.in_proj_bias", "vector"),
    },
    heads=("heads",),
    # The published files are older than the names.
    aliases=((r"\.mlp\.linear_1\.", ".mlp.0."), (r"\.mlp\.linear_2\.", ".mlp.3.")),
)
# Transformers 5 writes the names of version 4 into files, and has others in memory.
HUGGING_FACE_ALIASES = (
    (r"^layers\.(\d+)\.", r"encoder.layer.\1."),
    (r"\.attention\.q_proj\.", ".attention.attention.query."),
    (r"\.attention\.k_proj\.", ".attention.attention.key."),
    (r"\.attention\.v_proj\.", ".attention.attention.value."),
    (r"\.attention\.o_proj\.", ".attention.output.dense."),
    (r"\.mlp\.fc1\.", ".intermediate.dense."),
    (r"\.mlp\.fc2\.", ".output.dense."),
)
HUGGING_FACE_BLOCK = {
    "block{i}/attention_norm": "encoder.layer.{i}.layernorm_before",
    QKV: tuple(
        f"encoder.layer.{{i}}.attention.attention.{part}" for part in ("query", "key", "value")
    ),
    "block{i}/attention/output": "encoder.layer.{i}.attention.output.dense",
    "block{i}/mlp_norm": "encoder.layer.{i}.layernorm_after",
    "block{i}/expand": "encoder.layer.{i}.intermediate.dense",
    "block{i}/contract": "encoder.layer.{i}.output.dense",
}
HUGGING_FACE = Naming(
    modules={
        "patch": "embeddings.patch_embeddings.projection",
        **HUGGING_FACE_BLOCK,
        "final_norm": "layernorm",
    },
    arrays={
        "class_token": ("embeddings.cls_token", "token"),
        "position/embedding": ("embeddings.position_embeddings", "sequence"),
    },
    heads=("classifier",),
    ignored=("embeddings.mask_token", "pooler"),
    prefixes=("vit.", "deit."),
    aliases=HUGGING_FACE_ALIASES,
)


# Of the simple feature pyramid, which no file has.
PYRAMID_MODULES = tuple(
    f"pyramid/{module}"
    for layer in ("lateral{i}", "level{i}", "enlarge{i}_{j}")
    for module in (layer, f"{layer}_norm")
)


def size_by(known: Mapping[str, TransformerSize], kind: str):
    """The function of shapes that names a transformer on patches, by its table of sizes."""

    def size(shapes: Shapes) -> str:
        hidden, width = shapes["params", "block0", "expand", "kernel"]
        depth = sum(path[2:] == ("expand", "kernel") for path in shapes)
        patch = shapes[STEM][-1]
        # Heads leave no trace in the shapes.
        named = (
            name
            for name, size in known.items()
            if (size.patch, size.depth, size.width, size.mlp) == (patch, depth, width, hidden)
        )
        what = f"{kind} of {depth} blocks, {width} channels, {hidden} in the MLPs, patches {patch}"
        return next(named, what)

    return size


def resize_positions(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Position embeddings (1, 1 + n^2, C) for a square grid of another size: (1, 1 + m^2, C).

    Bicubic, as the libraries do; the class token's is kept. Unchanged where that is impossible.
    """
    cells, wanted = array.shape[1] - 1, shape[1] - 1
    side, new_side = round(cells**0.5), round(wanted**0.5)
    if side**2 != cells or new_side**2 != wanted:
        return array
    # (1, n^2, C) -> (n, n, C) -> (m, m, C) -> (1, m^2, C)
    grid = bicubic(array[0, 1:].reshape(side, side, -1), (new_side, new_side))
    return np.concatenate([array[:, :1], np.asarray(grid).reshape(1, wanted, -1)], axis=1)


VIT = Family(
    name="ViT",
    marks=(("params", "position", "embedding"), ("params", "block0", "attention", "qkv", "bias")),
    stem=STEM,
    namings={"torchvision": TORCHVISION, "timm": TIMM, "huggingface": HUGGING_FACE},
    size=size_by(SIZES, "ViT"),
    optional=("final_norm", "pooled_norm", *PYRAMID_MODULES),
    resized={"position/embedding": resize_positions},
)

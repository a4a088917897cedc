"""SegFormer and its encoder MiT under the names of transformers and of the original code."""

from collections.abc import Mapping

import numpy as np

from imo_jax.weights.imo import strip_prefixes
from imo_jax.weights.tables import Naming, load_by_table, state_by_table

BLOCK = "backbone/stage{i}_block{j}"

# What the encoder's modules are called: here, in transformers' files, inside transformers 5, in
# the original code (whose `attn.kv` is taken apart first).
_ENCODER = [
    ("backbone/patches{i}", "encoder.patch_embeddings.{i}.proj", "stages.{i}.patch_embeddings.proj",
     "patch_embed{i1}.proj", "conv"),
    ("backbone/patches{i}_norm", "encoder.patch_embeddings.{i}.layer_norm",
     "stages.{i}.patch_embeddings.layer_norm", "patch_embed{i1}.norm", "vector"),
    ("backbone/norm{i}", "encoder.layer_norm.{i}", "stages.{i}.layer_norm", "norm{i1}", "vector"),
    *(
        (f"{BLOCK}/{here}", f"encoder.block.{{i}}.{{j}}.{file}", f"stages.{{i}}.blocks.{{j}}.{five}",
         f"block{{i1}}.{{j}}.{original}", kind)
        for here, file, five, original, kind in [
            ("attention_norm", "layer_norm_1", "layernorm_before", "norm1", "vector"),
            ("attention/query", "attention.self.query", "attention.q_proj", "attn.q", "linear"),
            ("attention/key", "attention.self.key", "attention.k_proj", "attn.k", "linear"),
            ("attention/value", "attention.self.value", "attention.v_proj", "attn.v", "linear"),
            ("attention/output", "attention.output.dense", "attention.o_proj", "attn.proj",
             "linear"),
            ("attention/reduce", "attention.self.sr",
             "attention.sequence_reduction.sequence_reduction", "attn.sr", "conv"),
            ("attention/reduce_norm", "attention.self.layer_norm",
             "attention.sequence_reduction.layer_norm", "attn.norm", "vector"),
            ("mlp_norm", "layer_norm_2", "layernorm_after", "norm2", "vector"),
            ("expand", "mlp.dense1", "mlp.fc1", "mlp.fc1", "linear"),
            ("depthwise", "mlp.dwconv.dwconv", "mlp.dwconv.dwconv", "mlp.dwconv.dwconv",
             "depthwise"),
            ("contract", "mlp.dense2", "mlp.fc2", "mlp.fc2", "linear"),
        ]
    ),
]  # fmt: skip
# The same of the decoder.
_HEAD = [
    ("head/project{i}", "linear_c.{i}.proj", "linear_projections.{i}.proj", "linear_c{i1}.proj",
     "linear"),
    ("head", "linear_fuse", "linear_fuse", "linear_fuse.conv", "pointwise"),
    ("head_norm", "batch_norm", "batch_norm", "linear_fuse.bn", "vector"),
    ("classifier", "classifier", "classifier", "linear_pred", "pointwise"),
]  # fmt: skip


def _naming(column: int, prefix: str) -> Naming:
    return Naming(
        stem="backbone/patches0",
        required=tuple((row[0], prefix + row[column], row[-1]) for row in _ENCODER),
        optional=tuple((row[0], f"decode_head.{row[column]}", row[-1]) for row in _HEAD),
        prefix=prefix,
        # Of the encoder's pretraining, and a layer that the original decoder never uses.
        ignored=("classifier.", "head.", "decode_head.conv_seg."),
    )


NAMINGS = {
    "huggingface": _naming(1, "segformer."),
    "transformers5": _naming(2, "segformer."),
    "original": _naming(3, "backbone."),
}


def load_segformer(state: Mapping[str, np.ndarray], variables: Mapping) -> tuple[dict, str]:
    """Puts a pretrained MiT, or all of a SegFormer, into an initialised SegFormer.

    Arguments, results and errors as `tables.load_by_table`. The decoder is loaded where the file
    has one, each layer if its shape fits; a classifier of other classes stays fresh.
    """
    state = _keys_and_values_apart(strip_prefixes(state))
    return load_by_table(state, variables, NAMINGS, "SegFormer")


def segformer_to_torch(variables: Mapping, naming: str = "huggingface") -> dict[str, np.ndarray]:
    """State dict (float32 arrays) under a naming of NAMINGS, "original" with keys, values apart."""
    return state_by_table(variables, NAMINGS[naming])


def _keys_and_values_apart(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The original's `attn.kv` as `attn.k` and `attn.v`, its first and second half."""
    apart = {}
    for name, array in state.items():
        if ".attn.kv." not in name:
            apart[name] = array
            continue
        for part, half in zip("kv", np.split(np.asarray(array), 2), strict=True):
            apart[name.replace(".attn.kv.", f".attn.{part}.")] = half
    return apart

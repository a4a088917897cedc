"""UPerNet on ConvNeXt under transformers' names (UperNetForSemanticSegmentation)."""

from collections.abc import Mapping

import numpy as np

from imo_jax.weights.tables import Naming, Row, load_by_table, state_by_table

BLOCK = "backbone/stage{i}_block{j}"
STAGE = "backbone.encoder.stages.{i}"

_BACKBONE: tuple[Row, ...] = (
    ("backbone/stem_conv", "backbone.embeddings.patch_embeddings", "conv"),
    ("backbone/stem_norm", "backbone.embeddings.layernorm", "vector"),
    ("backbone/downsample{i}_norm", f"{STAGE}.downsampling_layer.0", "vector"),
    ("backbone/downsample{i}_conv", f"{STAGE}.downsampling_layer.1", "conv"),
    (f"{BLOCK}/layer_scale", f"{STAGE}.layers.{{j}}.layer_scale_parameter", "vector"),
    (f"{BLOCK}/depthwise", f"{STAGE}.layers.{{j}}.dwconv", "depthwise"),
    (f"{BLOCK}/norm", f"{STAGE}.layers.{{j}}.layernorm", "vector"),
    (f"{BLOCK}/expand", f"{STAGE}.layers.{{j}}.pwconv1", "linear"),
    (f"{BLOCK}/contract", f"{STAGE}.layers.{{j}}.pwconv2", "linear"),
)


def _conv_block(here: str, there: str) -> tuple[Row, Row]:
    return (f"{here}/conv", f"{there}.conv", "conv"), (
        f"{here}/norm",
        f"{there}.batch_norm",
        "vector",
    )


POOLS = (1, 2, 3, 6)
_HEADS: tuple[Row, ...] = (
    ("backbone/norm{i}", "backbone.hidden_states_norms.stage{i1}", "vector"),
    *(
        row
        for place, pool in enumerate(POOLS)
        for row in _conv_block(f"head/pool{pool}", f"decode_head.psp_modules.{place}.1")
    ),
    *_conv_block("head/pooled", "decode_head.bottleneck"),
    *_conv_block("head/lateral{i}", "decode_head.lateral_convs.{i}"),
    *_conv_block("head/level{i}", "decode_head.fpn_convs.{i}"),
    *_conv_block("head/merge", "decode_head.fpn_bottleneck"),
    ("classifier", "decode_head.classifier", "pointwise"),
    *_conv_block("auxiliary", "auxiliary_head.convs.0"),
    ("auxiliary_classifier", "auxiliary_head.classifier", "pointwise"),
)
HUGGING_FACE = Naming(
    stem="backbone/stem_conv",
    required=_BACKBONE,
    optional=_HEADS,
    prefix="backbone.",
    ignored=("auxiliary_head.",),  # where the config has none
)


def load_upernet(state: Mapping[str, np.ndarray], variables: Mapping) -> tuple[dict, str]:
    """Puts a UPerNet on ConvNeXt into an initialised one.

    Arguments, results and errors as `tables.load_by_table`; a head's layer is loaded where its
    shape fits, so a classifier of other classes stays fresh.
    """
    return load_by_table(state, variables, {"huggingface": HUGGING_FACE}, "UPerNet")


def upernet_to_torch(variables: Mapping) -> dict[str, np.ndarray]:
    """State dict (float32 arrays) under transformers' names."""
    return state_by_table(variables, HUGGING_FACE)

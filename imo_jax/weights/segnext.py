"""SegNeXt and its encoder MSCAN under the names of the original code and of its later copy."""

import re
from collections.abc import Mapping

import numpy as np

from imo_jax.backbones.mscan import STRIPS
from imo_jax.weights.imo import strip_prefixes
from imo_jax.weights.tables import Naming, Row, load_by_table, state_by_table

HERE, THERE = "backbone/stage{i}_block{j}", "backbone.block{i1}.{j}"

_STRIPS = tuple(
    row
    for place, k in enumerate(STRIPS)
    for row in (
        (f"attention/row{k}", f"attn.spatial_gating_unit.conv{place}_1", "depthwise"),
        (f"attention/column{k}", f"attn.spatial_gating_unit.conv{place}_2", "depthwise"),
    )
)
_ENCODER: tuple[Row, ...] = (
    ("backbone/stem", "backbone.patch_embed1.proj.0", "conv"),
    ("backbone/stem_norm", "backbone.patch_embed1.proj.1", "vector"),
    ("backbone/patches0", "backbone.patch_embed1.proj.3", "conv"),
    ("backbone/patches0_norm", "backbone.patch_embed1.proj.4", "vector"),
    *(
        row
        for i in (1, 2, 3)
        for row in (
            (f"backbone/patches{i}", f"backbone.patch_embed{i + 1}.proj", "conv"),
            (f"backbone/patches{i}_norm", f"backbone.patch_embed{i + 1}.norm", "vector"),
        )
    ),
    *(
        (f"{HERE}/{here}", f"{THERE}.{there}", kind)
        for here, there, kind in (
            ("attention_norm", "norm1", "vector"),
            ("inward", "attn.proj_1", "pointwise"),
            ("attention/local", "attn.spatial_gating_unit.conv0", "depthwise"),
            *_STRIPS,
            ("attention/mix", "attn.spatial_gating_unit.conv3", "pointwise"),
            ("outward", "attn.proj_2", "pointwise"),
            ("attention_scale", "layer_scale_1", "vector"),
            ("mlp_norm", "norm2", "vector"),
            ("expand", "mlp.fc1", "pointwise"),
            ("depthwise", "mlp.dwconv.dwconv", "depthwise"),
            ("contract", "mlp.fc2", "pointwise"),
            ("mlp_scale", "layer_scale_2", "vector"),
        )
    ),
    ("backbone/norm{i}", "backbone.norm{i1}", "vector"),
)
_HEAD: tuple[Row, ...] = (
    ("squeeze", "decode_head.squeeze.conv", "pointwise"),
    ("squeeze/norm", "decode_head.squeeze.gn", "vector"),
    ("hamburger/inward", "decode_head.hamburger.ham_in.conv", "pointwise"),
    ("hamburger/outward", "decode_head.hamburger.ham_out.conv", "pointwise"),
    ("hamburger/norm", "decode_head.hamburger.ham_out.gn", "vector"),
    ("align", "decode_head.align.conv", "pointwise"),
    ("align_norm", "decode_head.align.gn", "vector"),
    ("classifier", "decode_head.conv_seg", "pointwise"),
)
ORIGINAL = Naming(
    stem="backbone/stem",
    required=_ENCODER,
    optional=_HEAD,
    prefix="backbone.",
    ignored=("head.",),  # of the encoder's pretraining
)


def load_segnext(state: Mapping[str, np.ndarray], variables: Mapping) -> tuple[dict, str]:
    """Puts a pretrained MSCAN, or all of a SegNeXt, into an initialised SegNeXt.

    Arguments, results and errors as `tables.load_by_table`. The decoder is loaded where the file
    has one, each layer if its shape fits; a classifier of other classes stays fresh.
    """
    # The later copy has no module of its own around the MLP's depthwise convolution.
    state = {
        re.sub(r"\.mlp\.dwconv\.(?!dwconv)", ".mlp.dwconv.dwconv.", name): array
        for name, array in strip_prefixes(state).items()
    }
    return load_by_table(state, variables, {"original": ORIGINAL}, "SegNeXt")


def segnext_to_torch(variables: Mapping) -> dict[str, np.ndarray]:
    """State dict (float32 arrays) under the original names."""
    return state_by_table(variables, ORIGINAL)

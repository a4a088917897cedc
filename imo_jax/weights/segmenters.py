"""Whole segmenters, heads included, under the names of the libraries that have them.

For a backbone alone see pretrained.py.
"""

from collections.abc import Mapping

import numpy as np

from imo_jax.weights import convnext, mit, mscan
from imo_jax.weights.family import Family, Path, Shapes, identify, put
from imo_jax.weights.naming import Naming

# The second stem, which no library has.
OCT_STEM = ("oct_stem/block/depthwise", "oct_stem/block/pointwise", "oct_stem/block/norm")
OCT_STEM += ("oct_stem/out",)


def _whole(
    backbone: Naming,
    prefix: str,
    modules: Mapping[str, str],
    arrays: Mapping[str, tuple[str, str]] | None = None,
    ignored: tuple[str, ...] = (),
) -> Naming:
    """A backbone's naming below `backbone` here and `prefix` there, with more modules."""
    inner = {f"backbone/{here}": prefix + there for here, there in backbone.modules.items()}
    single = {
        f"backbone/{here}": (prefix + there, kind)
        for here, (there, kind) in backbone.arrays.items()
    }
    return Naming(
        modules=inner | dict(modules),
        arrays=single | dict(arrays or {}),
        ignored=ignored,
        aliases=backbone.aliases,
        prepare=backbone.prepare,
        pointwise=backbone.pointwise,
    )


def _of_backbone(shapes: Shapes) -> dict[Path, tuple[int, ...]]:
    """The shapes below `backbone`, with their paths in it."""
    return {
        (collection, *inner): shape
        for (collection, top, *inner), shape in shapes.items()
        if top == "backbone"
    }


def _conv_blocks(names: Mapping[str, str]) -> dict[str, str]:
    """Convolution and norm of each ConvBlock, in mmsegmentation's and transformers' words."""
    convolutions = {f"{here}/conv": f"{there}.conv" for here, there in names.items()}
    return convolutions | {f"{here}/norm": f"{there}.batch_norm" for here, there in names.items()}


def _segformer(
    naming: Naming, prefix: str, projection: str, fuse: str, norm: str, last: str
) -> Naming:
    head = "decode_head"
    return _whole(
        naming,
        prefix,
        modules={"head/project{i}": f"{head}.{projection}", "head_norm": f"{head}.{norm}"},
        # 1x1 convolutions, where all other matrices are linear layers.
        arrays={
            "head/kernel": (f"{head}.{fuse}.weight", "pointwise"),
            "classifier/kernel": (f"{head}.{last}.weight", "pointwise"),
            "classifier/bias": (f"{head}.{last}.bias", "vector"),
        },
        ignored=("decode_head.conv_seg",),  # the original has it and never uses it
    )


SEGFORMER = Family(
    name="SegFormer",
    marks=(("params", "head", "kernel"), ("params", "backbone", "norm3", "scale")),
    stem=("params", "backbone", "patches0", "kernel"),
    namings={
        "huggingface": _segformer(
            mit.HUGGING_FACE, "segformer.", "linear_c.{i}.proj", "linear_fuse", "batch_norm",
            "classifier",
        ),
        "original": _segformer(
            mit.ORIGINAL, "backbone.", "linear_c{i+1}.proj", "linear_fuse.conv", "linear_fuse.bn",
            "linear_pred",
        ),
    },
    size=lambda shapes: f"SegFormer on {mit.size(_of_backbone(shapes))}",
    optional=OCT_STEM,
)  # fmt: skip

UPERNET = Family(
    name="UPerNet",
    marks=(("params", "head", "merge", "conv", "kernel"),),
    stem=("params", "backbone", "stem_conv", "kernel"),
    namings={
        "huggingface": _whole(
            convnext.HUGGING_FACE,
            "backbone.",
            modules=_conv_blocks({
                "head/pool1": "decode_head.psp_modules.0.1",
                "head/pool2": "decode_head.psp_modules.1.1",
                "head/pool3": "decode_head.psp_modules.2.1",
                "head/pool6": "decode_head.psp_modules.3.1",
                "head/pooled": "decode_head.bottleneck",
                "head/lateral{i}": "decode_head.lateral_convs.{i}",
                "head/level{i}": "decode_head.fpn_convs.{i}",
                "head/merge": "decode_head.fpn_bottleneck",
                "auxiliary": "auxiliary_head.convs.0",
            }),
            arrays={
                f"{here}/{leaf}": (f"{there}.classifier.{name}", kind)
                for here, there in (
                    ("classifier", "decode_head"), ("auxiliary_classifier", "auxiliary_head"),
                )
                for leaf, name, kind in (
                    ("kernel", "weight", "pointwise"), ("bias", "bias", "vector"),
                )
            },
        ),
    },
    size=lambda shapes: f"UPerNet on {convnext.size(_of_backbone(shapes))}",
    optional=(*OCT_STEM, "auxiliary/conv", "auxiliary/norm", "auxiliary_classifier"),
)  # fmt: skip

SEGNEXT = Family(
    name="SegNeXt",
    marks=(("params", "hamburger", "inward", "kernel"),),
    stem=("params", "backbone", "stem", "kernel"),
    namings={
        "original": _whole(
            mscan.ORIGINAL,
            "backbone.",
            modules={
                "squeeze": "decode_head.squeeze.conv",
                "squeeze/norm": "decode_head.squeeze.gn",
                "hamburger/inward": "decode_head.hamburger.ham_in.conv",
                "hamburger/outward": "decode_head.hamburger.ham_out.conv",
                "hamburger/norm": "decode_head.hamburger.ham_out.gn",
                "align": "decode_head.align.conv",
                "align_norm": "decode_head.align.gn",
                "classifier": "decode_head.conv_seg",
            },
        ),
    },
    size=lambda shapes: f"SegNeXt on {mscan.size(_of_backbone(shapes))}",
    optional=OCT_STEM,
)


def _rows(shapes: Shapes) -> str:
    """A UNet++ in words."""
    rows = [shapes["params", f"node{i}_0_0", "norm", "scale"][0] for i in range(5)]
    return f"UNet++ of channels {', '.join(map(str, rows))}"


UNETPP = Family(
    name="UNet++",
    marks=tuple(("params", f"node{i}_0_0", "norm", "scale") for i in range(5)),
    stem=("params", "node0_0_0", "conv", "kernel"),
    namings={
        "monai": Naming(
            modules={
                f"node{node}_{{k}}/{here}": f"{name}.conv_{{k}}.{there}"
                for node, name in (
                    ("0_0", "conv_0_0"),
                    ("{i}_0", "conv_{i}_0.convs"),
                    ("{i}_{j}", "upcat_{i}_{j}.convs"),
                )
                for here, there in (("conv", "conv"), ("norm", "adn.N"))
            }
            | {"head{j}": "final_conv_0_{j}"},
            pointwise=True,
        )
    },
    size=_rows,
    # MONAI's network always has the heads of deep supervision.
    optional=(*OCT_STEM, "head{j}"),
)

SEGMENTERS = {"unetpp": UNETPP, "upernet": UPERNET, "segformer": SEGFORMER, "segnext": SEGNEXT}


def load_segmenter(state: Mapping[str, np.ndarray], variables: Mapping) -> tuple[dict, str]:
    """Puts a whole segmenter, of the same size and classes, into an initialised one.

    Args:
      state: name -> array (see `files.read_state_dict`), the names of a family of SEGMENTERS.
      variables: {"params", "batch_stats"} of the network.

    Returns:
      The variables replaced (float32 numpy arrays), and a line as `pretrained.load_pretrained`'s.

    Raises:
      WeightsError: the names are none of these; the family or its size is another (in one line);
        or single arrays are missing, misshapen or without a place (all of them listed).
    """
    families = tuple(SEGMENTERS.values())
    return put(identify(state, families), variables, (), families)

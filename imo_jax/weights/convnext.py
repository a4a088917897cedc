"""Names of ConvNeXt in public libraries."""

from imo_jax.backbones.convnext import SIZES
from imo_jax.weights.family import Family, Shapes
from imo_jax.weights.naming import Naming, depths

BLOCK = "stage{i}_block{j}"
STEM = ("params", "stem_conv", "kernel")

TORCHVISION = Naming(
    modules={
        "stem_conv": "features.0.0",
        "stem_norm": "features.0.1",
        "downsample{i}_norm": "features.{2i}.0",
        "downsample{i}_conv": "features.{2i}.1",
        f"{BLOCK}/depthwise": "features.{2i+1}.{j}.block.0",
        f"{BLOCK}/norm": "features.{2i+1}.{j}.block.2",
        f"{BLOCK}/expand": "features.{2i+1}.{j}.block.3",
        f"{BLOCK}/contract": "features.{2i+1}.{j}.block.5",
        "final_norm": "classifier.0",
    },
    arrays={f"{BLOCK}/layer_scale": ("features.{2i+1}.{j}.layer_scale", "channel")},
    heads=("classifier.2",),
)
TIMM = Naming(
    modules={
        "stem_conv": "stem.0",
        "stem_norm": "stem.1",
        "downsample{i}_norm": "stages.{i}.downsample.0",
        "downsample{i}_conv": "stages.{i}.downsample.1",
        f"{BLOCK}/depthwise": "stages.{i}.blocks.{j}.conv_dw",
        f"{BLOCK}/norm": "stages.{i}.blocks.{j}.norm",
        f"{BLOCK}/expand": "stages.{i}.blocks.{j}.mlp.fc1",
        f"{BLOCK}/contract": "stages.{i}.blocks.{j}.mlp.fc2",
        "final_norm": "head.norm",
    },
    arrays={f"{BLOCK}/layer_scale": ("stages.{i}.blocks.{j}.gamma", "vector")},
    heads=("head.fc",),
)
HUGGING_FACE = Naming(
    modules={
        "stem_conv": "embeddings.patch_embeddings",
        "stem_norm": "embeddings.layernorm",
        "downsample{i}_norm": "encoder.stages.{i}.downsampling_layer.0",
        "downsample{i}_conv": "encoder.stages.{i}.downsampling_layer.1",
        f"{BLOCK}/depthwise": "encoder.stages.{i}.layers.{j}.dwconv",
        f"{BLOCK}/norm": "encoder.stages.{i}.layers.{j}.layernorm",
        f"{BLOCK}/expand": "encoder.stages.{i}.layers.{j}.pwconv1",
        f"{BLOCK}/contract": "encoder.stages.{i}.layers.{j}.pwconv2",
        "norm{i}": "hidden_states_norms.stage{i+1}",
        "final_norm": "layernorm",
    },
    arrays={
        f"{BLOCK}/layer_scale": ("encoder.stages.{i}.layers.{j}.layer_scale_parameter", "vector")
    },
    heads=("classifier",),
    prefixes=("convnext.",),
)
# The authors' own files; mmpretrain and the released IMO call some of the layers otherwise.
ORIGINAL = Naming(
    modules={
        "stem_conv": "downsample_layers.0.0",
        "stem_norm": "downsample_layers.0.1",
        "downsample{i}_norm": "downsample_layers.{i}.0",
        "downsample{i}_conv": "downsample_layers.{i}.1",
        f"{BLOCK}/depthwise": "stages.{i}.{j}.dwconv",
        f"{BLOCK}/norm": "stages.{i}.{j}.norm",
        f"{BLOCK}/expand": "stages.{i}.{j}.pwconv1",
        f"{BLOCK}/contract": "stages.{i}.{j}.pwconv2",
        "norm{i}": "norm{i}",
        "final_norm": "norm",
    },
    arrays={f"{BLOCK}/layer_scale": ("stages.{i}.{j}.gamma", "vector")},
    heads=("head",),
    prefixes=("backbone.",),
    aliases=((r"\.depthwise_conv\.", ".dwconv."), (r"\.pointwise_conv(\d)\.", r".pwconv\1.")),
)


def size(shapes: Shapes) -> str:
    """Name of backbones.convnext.SIZES, or blocks and channels in words."""
    blocks = depths(shapes, f"{BLOCK}/norm/scale")
    widths = tuple(
        shapes["params", f"stage{i}_block0", "norm", "scale"][0] for i in range(len(blocks))
    )
    known = (name for name, member in SIZES.items() if member == (blocks, widths))
    name = next(known, None)
    return f"convnext_{name}" if name else f"ConvNeXt of blocks {blocks} and channels {widths}"


CONVNEXT = Family(
    name="ConvNeXt",
    marks=(("params", "stage0_block0", "depthwise", "kernel"), ("params", "stem_norm", "scale")),
    stem=STEM,
    namings={
        "torchvision": TORCHVISION,
        "timm": TIMM,
        "huggingface": HUGGING_FACE,
        "original": ORIGINAL,
    },
    size=size,
    optional=("norm{i}", "final_norm"),
)

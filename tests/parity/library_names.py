"""State dicts of transformers under the names that torchvision and timm give the same networks.

Neither library is needed for it: their names are written down here as the author knows them, and
independently of the tables in imo_jax/weights.
"""

import re

import numpy as np

CONVNEXT_TIMM = [
    (r"convnext\.embeddings\.patch_embeddings", "stem.0"),
    (r"convnext\.embeddings\.layernorm", "stem.1"),
    (r"convnext\.encoder\.stages\.(\d)\.downsampling_layer", r"stages.\1.downsample"),
    (r"convnext\.encoder\.stages\.(\d)\.layers\.(\d+)", r"stages.\1.blocks.\2"),
    (r"convnext\.layernorm", "head.norm"),
    (r"classifier", "head.fc"),
    (r"dwconv", "conv_dw"),
    (r"(blocks\.\d+)\.layernorm", r"\1.norm"),
    (r"pwconv(\d)", r"mlp.fc\1"),
    (r"layer_scale_parameter", "gamma"),
]
CONVNEXT_ORIGINAL = [
    (r"convnext\.embeddings\.patch_embeddings", "downsample_layers.0.0"),
    (r"convnext\.embeddings\.layernorm", "downsample_layers.0.1"),
    (r"convnext\.encoder\.stages\.(\d)\.downsampling_layer", r"downsample_layers.\1"),
    (r"convnext\.encoder\.stages\.(\d)\.layers\.(\d+)", r"stages.\1.\2"),
    (r"(stages\.\d\.\d+)\.layernorm", r"\1.norm"),
    (r"convnext\.layernorm", "norm"),
    (r"classifier", "head"),
    (r"layer_scale_parameter", "gamma"),
]
VIT_TIMM = [
    (r"vit\.embeddings\.cls_token", "cls_token"),
    (r"vit\.embeddings\.position_embeddings", "pos_embed"),
    (r"vit\.embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
    (r"vit\.encoder\.layer\.(\d+)", r"blocks.\1"),
    (r"attention\.attention\.qkv", "attn.qkv"),
    (r"attention\.output\.dense", "attn.proj"),
    (r"layernorm_before", "norm1"),
    (r"layernorm_after", "norm2"),
    (r"intermediate\.dense", "mlp.fc1"),
    (r"output\.dense", "mlp.fc2"),
    (r"vit\.layernorm", "norm"),
    (r"classifier", "head"),
]
VIT_TORCHVISION = [
    (r"vit\.embeddings\.cls_token", "class_token"),
    (r"vit\.embeddings\.position_embeddings", "encoder.pos_embedding"),
    (r"vit\.embeddings\.patch_embeddings\.projection", "conv_proj"),
    (r"vit\.encoder\.layer\.(\d+)", r"encoder.layers.encoder_layer_\1"),
    (r"attention\.attention\.qkv\.", "self_attention.in_proj_"),
    (r"attention\.output\.dense", "self_attention.out_proj"),
    (r"layernorm_before", "ln_1"),
    (r"layernorm_after", "ln_2"),
    (r"intermediate\.dense", "mlp.linear_1"),
    (r"output\.dense", "mlp.linear_2"),
    (r"vit\.layernorm", "encoder.ln"),
    (r"classifier", "heads.head"),
]
BEIT_TIMM = [
    (r"beit\.embeddings\.cls_token", "cls_token"),
    (r"beit\.embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
    (r"beit\.encoder\.layer\.(\d+)", r"blocks.\1"),
    (r"attention\.attention\.relative_position_bias", "attn"),
    (r"attention\.attention\.qkv", "attn.qkv"),
    (r"attention\.attention\.query\.bias", "attn.q_bias"),
    (r"attention\.attention\.value\.bias", "attn.v_bias"),
    (r"attention\.output\.dense", "attn.proj"),
    (r"lambda_(\d)", r"gamma_\1"),
    (r"layernorm_before", "norm1"),
    (r"layernorm_after", "norm2"),
    (r"intermediate\.dense", "mlp.fc1"),
    (r"output\.dense", "mlp.fc2"),
    (r"beit\.pooler\.layernorm", "fc_norm"),
    (r"classifier", "head"),
]


def resnet_torchvision(name: str) -> str:
    """Stages and layers count from one there, from zero in transformers."""
    name = name.replace("classifier.1", "fc").replace("resnet.embedder.embedder", "resnet.stem")
    found = re.fullmatch(
        r"resnet\.encoder\.stages\.(\d)\.layers\.(\d+)\.(layer\.\d|shortcut)\.(\w+)\.(\w+)", name
    )
    if not found:
        name = name.replace("resnet.stem.convolution", "conv1")
        return name.replace("resnet.stem.normalization", "bn1")
    stage, block, place, kind, leaf = found.groups()
    convolution = kind == "convolution"
    if place == "shortcut":
        layer = f"downsample.{0 if convolution else 1}"
    else:
        layer = f"{'conv' if convolution else 'bn'}{int(place[-1]) + 1}"
    return f"layer{int(stage) + 1}.{block}.{layer}.{leaf}"


def convnext_torchvision(name: str) -> str:
    """Stem, stages and the downsampling between them are one list there."""
    name = name.replace("convnext.embeddings.patch_embeddings", "features.0.0")
    name = name.replace("convnext.embeddings.layernorm", "features.0.1")
    name = name.replace("convnext.layernorm", "classifier.0")
    name = re.sub(r"^classifier\.(weight|bias)", r"classifier.2.\1", name)
    if found := re.fullmatch(r"convnext\.encoder\.stages\.(\d)\.downsampling_layer\.(.*)", name):
        return f"features.{2 * int(found[1])}.{found[2]}"
    if found := re.fullmatch(r"convnext\.encoder\.stages\.(\d)\.layers\.(\d+)\.(.*)", name):
        inner = found[3].replace("layer_scale_parameter", "layer_scale")
        for theirs, place in (("dwconv", 0), ("layernorm", 2), ("pwconv1", 3), ("pwconv2", 5)):
            inner = inner.replace(theirs, f"block.{place}")
        return f"features.{2 * int(found[1]) + 1}.{found[2]}.{inner}"
    return name


def renamed(state: dict[str, np.ndarray], names) -> dict[str, np.ndarray]:
    """The arrays under other names: by a function, or by patterns one after the other."""
    found = {}
    for name, array in _fused(state).items() if isinstance(names, list) else state.items():
        if callable(names):
            name = names(name)
        else:
            for pattern, replacement in names:
                name = re.sub(pattern, replacement, name)
        # torchvision's layer scales are shaped for maps.
        found[name] = array[:, None, None] if name.endswith(".layer_scale") else array
    return found


def _fused(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Queries, keys and values side by side where a network has them; BEiT's biases stay apart."""
    fused = dict(state)
    for name in [n for n in state if ".attention.attention.key." in n]:
        parts = [name.replace(".key.", f".{part}.") for part in ("query", "key", "value")]
        fused[name.replace(".key.", ".qkv.")] = np.concatenate([fused.pop(p) for p in parts])
    return fused

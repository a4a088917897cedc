"""The released IMO weights: their PyTorch names and where they belong in `models.imo.IMO`."""

import functools
import re
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.models.imo import IMO, IMOConfig
from imo_jax.weights.prefixes import strip_prefixes
from imo_jax.weights.rules import Rule, WeightsError, flatten, to_state, to_variables

# Entries that a file may hold without a place in the model. An auxiliary head is among them only
# for a config without one.
IGNORED = ("num_batches_tracked",)
AUXILIARY = "auxiliary_head."

# The released model has one channel MLP, CMFA.fc. With one a modality (shared_channel_attention
# False) CMFA.fc is the fundus's and CMFA.fc_oct the OCT's; in files that name the two otherwise,
# the one with "oct" in its name, else the second one, is the OCT's. A file with CMFA.fc alone
# starts both from it, which computes the same as sharing.
CHANNEL_MLP, CHANNEL_MLP_OCT = "CMFA.fc", "CMFA.fc_oct"
OCT_ENCODER = "oct_encoder.encoder"


def from_torch(state: Mapping[str, np.ndarray], config: IMOConfig) -> dict:
    """Flax variables {"params", "batch_stats"} from a state dict under the released names.

    Args:
      state: name -> array (see `files.read_state_dict`); prefixes like `module.` are removed.
      config: of the model that the weights are for.

    Raises:
      WeightsError: listing every entry that is unmatched, missing or misshapen. Let go are
        `num_batches_tracked` and, where the config has no auxiliary head, `auxiliary_head.*`.
    """
    state = strip_prefixes(state)
    if not config.shared_channel_attention:
        state = _separate_channel_mlps(state)
    state = _number_oct_blocks(state)
    ignored = IGNORED if config.auxiliary_head else (*IGNORED, AUXILIARY)
    return to_variables(state, rules(config), variable_shapes(config), ignored)


def to_torch(variables: Mapping, config: IMOConfig) -> dict[str, np.ndarray]:
    """State dict under the released names (float32 arrays); the inverse of `from_torch`."""
    return to_state(variables, rules(config))


def _separate_channel_mlps(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The two channel MLPs under CHANNEL_MLP and CHANNEL_MLP_OCT, whatever the file calls them."""
    stems = _stems(state, r"(CMFA\..+)\.0\.weight")
    if stems == [CHANNEL_MLP]:
        copies = {
            name.replace(CHANNEL_MLP, CHANNEL_MLP_OCT, 1): array
            for name, array in state.items()
            if name.startswith(CHANNEL_MLP + ".")
        }
        return state | copies
    if len(stems) != 2:
        return state  # the error then says what is missing
    fundus, oct_stem = sorted(stems, key=lambda stem: "oct" in stem.lower())
    return _rename(state, {fundus: CHANNEL_MLP, oct_stem: CHANNEL_MLP_OCT})


def _number_oct_blocks(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """OCT blocks under the released numbering, in the order of the numbers that they have."""
    stems = _stems(state, rf"({re.escape(OCT_ENCODER)}\..+)\.dw\.weight")
    stems.sort(key=lambda stem: [int(number) for number in re.findall(r"\d+", stem)])
    return _rename(state, {stem: _oct_block(i) for i, stem in enumerate(stems)})


def _oct_block(i: int) -> str:
    """Released: one block, then groups of two: 0, 1.0, 1.1, 2.0, 2.1, ..."""
    place = "0" if i == 0 else f"{(i + 1) // 2}.{(i + 1) % 2}"
    return f"{OCT_ENCODER}.{place}"


def _stems(state: Mapping[str, np.ndarray], pattern: str) -> list[str]:
    """What the pattern's group captures in each name that matches it, in the file's order."""
    matches = (re.fullmatch(pattern, name) for name in state)
    return [match.group(1) for match in matches if match]


def _rename(state: dict[str, np.ndarray], stems: dict[str, str]) -> dict[str, np.ndarray]:
    """Names with each stem (up to a dot) replaced."""
    renamed = {}
    for name, array in state.items():
        stem = next((s for s in stems if name.startswith(s + ".")), "")
        renamed[stems[stem] + name.removeprefix(stem) if stem else name] = array
    return renamed


@functools.lru_cache
def variable_shapes(config: IMOConfig) -> dict[tuple[str, ...], tuple[int, ...]]:
    """Path (collection first) -> shape of every variable of the model; nothing is computed."""
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    volume = jax.ShapeDtypeStruct((1, 16, 16, config.oct_slices), jnp.float32)
    shapes = jax.eval_shape(IMO(config).init, jax.random.key(0), image, volume)
    return {path: leaf.shape for path, leaf in flatten(shapes).items()}


def rules(config: IMOConfig) -> list[Rule]:
    """A rule for every variable of the model with this config.

    Raises:
      WeightsError: its encoder is not the released one.
    """
    if config.encoder is not None:
        raise WeightsError([f"the released names are of a ConvNeXt, not of {config.encoder}"])
    parts = [_backbone(config), _neck(config), _cmfa(config)]
    if config.use_oct:
        parts.append(_oct(config))
    if config.grade:
        parts.append(_grading(config))
    if config.segment:
        parts.append(_decoder(config))
        if config.refine == "ddim":
            parts.append(_diffusion(config))
    if config.auxiliary_head:
        parts.append(_auxiliary())
    return [rule for part in parts for rule in part]


def _rule(name: str, path: str, kind: str) -> Rule:
    return Rule(name, ("params", *path.split("/")), kind)


def _weight_bias(name: str, path: str, kind: str) -> list[Rule]:
    return [
        _rule(f"{name}.weight", f"{path}/kernel", kind),
        _rule(f"{name}.bias", f"{path}/bias", "vector"),
    ]


def _norm(name: str, path: str) -> list[Rule]:
    return [
        _rule(f"{name}.weight", f"{path}/scale", "vector"),
        _rule(f"{name}.bias", f"{path}/bias", "vector"),
    ]


def _batch_norm(name: str, path: str) -> list[Rule]:
    statistics = [
        Rule(f"{name}.{torch}", ("batch_stats", *path.split("/"), flax), "vector")
        for torch, flax in (("running_mean", "mean"), ("running_var", "var"))
    ]
    return _norm(name, path) + statistics


def _separable(name: str, path: str) -> list[Rule]:
    return [
        _rule(f"{name}.dw.weight", f"{path}/depthwise/kernel", "depthwise"),
        _rule(f"{name}.pw.weight", f"{path}/pointwise/kernel", "pointwise"),
        *_batch_norm(f"{name}.bn", f"{path}/norm"),
    ]


def _segmentation_head(name: str, path: str) -> list[Rule]:
    return [
        _rule(f"{name}.depthwise.weight", f"{path}/scale", "scale"),
        _rule(f"{name}.depthwise.bias", f"{path}/shift", "vector"),
        *_weight_bias(f"{name}.pointwise", path, "pointwise"),
    ]


def _backbone(config: IMOConfig) -> list[Rule]:
    root = "fundus_encoder/backbone"
    found = _weight_bias("backbone.downsample_layers.0.0", f"{root}/stem_conv", "conv")
    found += _norm("backbone.downsample_layers.0.1", f"{root}/stem_norm")
    for i, depth in enumerate(config.backbone_depths):
        if i > 0:
            down = f"backbone.downsample_layers.{i}"
            found += _norm(f"{down}.0", f"{root}/downsample{i}_norm")
            found += _weight_bias(f"{down}.1", f"{root}/downsample{i}_conv", "conv")
        for j in range(depth):
            name, path = f"backbone.stages.{i}.{j}", f"{root}/stage{i}_block{j}"
            found.append(_rule(f"{name}.gamma", f"{path}/layer_scale", "vector"))
            found += _weight_bias(f"{name}.depthwise_conv", f"{path}/depthwise", "depthwise")
            found += _norm(f"{name}.norm", f"{path}/norm")
            found += _weight_bias(f"{name}.pointwise_conv1", f"{path}/expand", "linear")
            found += _weight_bias(f"{name}.pointwise_conv2", f"{path}/contract", "linear")
        found += _norm(f"backbone.norm{i}", f"{root}/norm{i}")
    return found


def _neck(config: IMOConfig) -> list[Rule]:
    pyramid, merge = "fundus_encoder/pyramid", "fundus_encoder/merge"
    found = []
    for i in range(len(config.backbone_widths)):
        lateral, level = f"neck.lateral_convs.{i}", f"neck.fpn_convs.{i}"
        found.append(_rule(f"{lateral}.conv.weight", f"{pyramid}/lateral{i}/kernel", "pointwise"))
        found += _norm(f"{lateral}.gn", f"{pyramid}/lateral{i}_norm")
        found.append(_rule(f"{level}.conv.weight", f"{pyramid}/level{i}/kernel", "conv"))
        found += _norm(f"{level}.gn", f"{pyramid}/level{i}_norm")
    found.append(_rule("neck.merge.down.conv.weight", f"{merge}/kernel", "pointwise"))
    return found + _norm("neck.merge.down.gn", f"{merge}/norm")


def _oct(config: IMOConfig) -> list[Rule]:
    found = []
    for i in range(config.oct_blocks):
        found += _separable(_oct_block(i), f"oct_encoder/block{i}")
    return found


def _cmfa(config: IMOConfig) -> list[Rule]:
    found = [_rule("CMFA.fusion_conv.weight", "cmfa/fusion/kernel", "pointwise")]
    if config.cmfa == "concat":
        return found
    found.append(_rule("CMFA.spatial_conv.weight", "cmfa/spatial/conv/kernel", "conv"))
    mlps = {CHANNEL_MLP: "cmfa/channel"}
    if config.use_oct and not config.shared_channel_attention:
        mlps[CHANNEL_MLP_OCT] = "cmfa/channel_oct"
    for name, path in mlps.items():
        found.append(_rule(f"{name}.0.weight", f"{path}/squeeze/kernel", "linear"))
        found.append(_rule(f"{name}.2.weight", f"{path}/excite/kernel", "linear"))
    return found


def _grading(config: IMOConfig) -> list[Rule]:
    found = []
    for i in range(config.grade_blocks):
        found += _separable(f"class_head.blocks.{i}", f"grading_head/block{i}")
    gate = "grading_head/squeeze_excite"
    found += _weight_bias("class_head.att.fc.1", f"{gate}/squeeze", "pointwise")
    found += _weight_bias("class_head.att.fc.3", f"{gate}/excite", "pointwise")
    found += _weight_bias("class_head.mlp.0", "grading_head/hidden", "linear")
    return found + _weight_bias("class_head.mlp.3", "grading_head/out", "linear")


def _decoder(config: IMOConfig) -> list[Rule]:
    found = _segmentation_head("decode_head.conv_seg", "decoder/head")
    for i in range(config.decoder_layers):
        name, path = f"decode_head.encoder.layers.{i}", f"decoder/layer{i}"
        for torch, flax in (
            ("sampling_offsets", "offsets"),
            ("attention_weights", "weights"),
            ("value_proj", "value"),
            ("output_proj", "output"),
        ):
            found += _weight_bias(
                f"{name}.attentions.0.{torch}", f"{path}/attention/{flax}", "linear"
            )
        found += _weight_bias(f"{name}.ffns.0.layers.0.0", f"{path}/expand", "linear")
        found += _weight_bias(f"{name}.ffns.0.layers.1", f"{path}/contract", "linear")
        found += _norm(f"{name}.norms.0", f"{path}/attention_norm")
        found += _norm(f"{name}.norms.1", f"{path}/mlp_norm")
    return found


def _diffusion(config: IMOConfig) -> list[Rule]:
    embedding = "noise_level/embedding"
    found = [
        _rule("embedding_table.weight", "label_embedding", "table"),
        *_weight_bias("transform.conv", "fusion", "pointwise"),
        _rule("time_mlp.0.weights", f"{embedding}/frequencies", "vector"),
        *_weight_bias("time_mlp.1", f"{embedding}/hidden", "linear"),
        *_weight_bias("time_mlp.3", f"{embedding}/out", "linear"),
    ]
    for i in range(config.decoder_layers):
        name = f"decode_head.encoder.layers.{i}.time_mlp.1"
        found += _weight_bias(name, f"noise_level/film_{i}", "linear")
    return found


def _auxiliary() -> list[Rule]:
    return [
        _rule("auxiliary_head.convs.0.conv.weight", "auxiliary/conv/kernel", "conv"),
        *_batch_norm("auxiliary_head.convs.0.bn", "auxiliary/norm"),
        *_segmentation_head("auxiliary_head.conv_seg", "auxiliary/head"),
    ]

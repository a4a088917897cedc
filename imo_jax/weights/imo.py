"""The released IMO weights: their PyTorch names and where they belong in `models.imo.IMO`."""

import functools
import re
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.models.imo import IMO, IMOConfig
from imo_jax.weights.naming import Naming
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
    """OCT blocks under the released numbering, in the order of the numbers that they have.

    Released: one block, then groups of two: 0, 1.0, 1.1, 2.0, 2.1, ...
    """
    stems = _stems(state, rf"({re.escape(OCT_ENCODER)}\..+)\.dw\.weight")
    stems.sort(key=lambda stem: [int(number) for number in re.findall(r"\d+", stem)])
    places = ["0", *(f"{i}.{j}" for i in range(1, len(stems)) for j in (0, 1))]
    return _rename(state, {stem: f"{OCT_ENCODER}.{place}" for stem, place in zip(stems, places)})


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
    found = (RELEASED.rule(path, len(shape)) for path, shape in variable_shapes(config).items())
    return [rule for rule in found if rule is not None]


def _within(here: str, there: str, modules: Mapping[str, str]) -> dict[str, str]:
    """Modules below one here and one there."""
    return {f"{here}/{ours}": f"{there}.{theirs}" for ours, theirs in modules.items()}


def _pointwise(names: Mapping[str, str], bias: bool = True) -> dict[str, tuple[str, str]]:
    """1x1 convolutions: matrices here, where all others are linear layers there."""
    kernels = {f"{here}/kernel": (f"{there}.weight", "pointwise") for here, there in names.items()}
    biases = {f"{here}/bias": (f"{there}.bias", "vector") for here, there in names.items()}
    return kernels | biases if bias else kernels


def _segmentation_head(here: str, there: str) -> dict[str, tuple[str, str]]:
    return {
        f"{here}/scale": (f"{there}.depthwise.weight", "scale"),
        f"{here}/shift": (f"{there}.depthwise.bias", "vector"),
        **_pointwise({here: f"{there}.pointwise"}),
    }


# Depthwise-separable blocks here and there.
SEPARABLE = {
    "oct_encoder/block0": f"{OCT_ENCODER}.0",
    "oct_encoder/block{2i+1}": f"{OCT_ENCODER}.{{i+1}}.0",
    "oct_encoder/block{2i+2}": f"{OCT_ENCODER}.{{i+1}}.1",
    "grading_head/block{i}": "class_head.blocks.{i}",
}
RELEASED = Naming(
    modules={
        **_within("fundus_encoder/backbone", "backbone", {
            "stem_conv": "downsample_layers.0.0",
            "stem_norm": "downsample_layers.0.1",
            "downsample{i}_norm": "downsample_layers.{i}.0",
            "downsample{i}_conv": "downsample_layers.{i}.1",
            "stage{i}_block{j}/depthwise": "stages.{i}.{j}.depthwise_conv",
            "stage{i}_block{j}/norm": "stages.{i}.{j}.norm",
            "stage{i}_block{j}/expand": "stages.{i}.{j}.pointwise_conv1",
            "stage{i}_block{j}/contract": "stages.{i}.{j}.pointwise_conv2",
            "norm{i}": "norm{i}",
        }),
        **_within("fundus_encoder", "neck", {
            "pyramid/lateral{i}_norm": "lateral_convs.{i}.gn",
            "pyramid/level{i}": "fpn_convs.{i}.conv",
            "pyramid/level{i}_norm": "fpn_convs.{i}.gn",
            "merge/norm": "merge.down.gn",
        }),
        **{f"{here}/depthwise": f"{there}.dw" for here, there in SEPARABLE.items()},
        **{f"{here}/norm": f"{there}.bn" for here, there in SEPARABLE.items()},
        "cmfa/spatial/conv": "CMFA.spatial_conv",
        "cmfa/channel/squeeze": f"{CHANNEL_MLP}.0",
        "cmfa/channel/excite": f"{CHANNEL_MLP}.2",
        "cmfa/channel_oct/squeeze": f"{CHANNEL_MLP_OCT}.0",
        "cmfa/channel_oct/excite": f"{CHANNEL_MLP_OCT}.2",
        "grading_head/hidden": "class_head.mlp.0",
        "grading_head/out": "class_head.mlp.3",
        **_within("decoder/layer{i}", "decode_head.encoder.layers.{i}", {
            "attention/offsets": "attentions.0.sampling_offsets",
            "attention/weights": "attentions.0.attention_weights",
            "attention/value": "attentions.0.value_proj",
            "attention/output": "attentions.0.output_proj",
            "expand": "ffns.0.layers.0.0",
            "contract": "ffns.0.layers.1",
            "attention_norm": "norms.0",
            "mlp_norm": "norms.1",
        }),
        "noise_level/embedding/hidden": "time_mlp.1",
        "noise_level/embedding/out": "time_mlp.3",
        "noise_level/film_{i}": "decode_head.encoder.layers.{i}.time_mlp.1",
        "auxiliary/conv": "auxiliary_head.convs.0.conv",
        "auxiliary/norm": "auxiliary_head.convs.0.bn",
    },
    arrays={
        "fundus_encoder/backbone/stage{i}_block{j}/layer_scale": (
            "backbone.stages.{i}.{j}.gamma", "vector",
        ),
        **_pointwise({
            "fundus_encoder/pyramid/lateral{i}": "neck.lateral_convs.{i}.conv",
            "fundus_encoder/merge": "neck.merge.down.conv",
            "cmfa/fusion": "CMFA.fusion_conv",
            **{f"{here}/pointwise": f"{there}.pw" for here, there in SEPARABLE.items()},
        }, bias=False),
        **_pointwise({
            "grading_head/squeeze_excite/squeeze": "class_head.att.fc.1",
            "grading_head/squeeze_excite/excite": "class_head.att.fc.3",
            "fusion": "transform.conv",
        }),
        **_segmentation_head("decoder/head", "decode_head.conv_seg"),
        **_segmentation_head("auxiliary/head", "auxiliary_head.conv_seg"),
        "label_embedding": ("embedding_table.weight", "table"),
        "noise_level/embedding/frequencies": ("time_mlp.0.weights", "vector"),
    },
)  # fmt: skip

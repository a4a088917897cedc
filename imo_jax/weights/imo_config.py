"""Which IMO network a file of weights under the released names is of."""

import json
import os
import pathlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from imo_jax.models.imo.config import IMOConfig
from imo_jax.npz import read_npz
from imo_jax.settings.saved import from_dict
from imo_jax.weights.files import read_state_dict
from imo_jax.weights.imo import CHANNEL_MLP, from_torch, strip_prefixes
from imo_jax.weights.rules import WeightsError

RELEASED = IMOConfig()


def imo_of_file(path: str | os.PathLike, **told: Any) -> tuple[IMOConfig, dict[str, Any]]:
    """Config and Flax variables of a file that holds a whole IMO network.

    Args:
      path: `.pth`, `.safetensors`, `.npz` (see `files.read_state_dict`). An .npz may tell its
        config itself, in an entry `config` (JSON of IMOConfig's fields).
      told: fields of IMOConfig that are known; see `config_of`.

    Raises:
      FileNotFoundError, ImportError: no such file; a PyTorch file and no torch.
      ValueError: it cannot be read, is no IMO network, or fields have to be told; names the file.
      WeightsError (a ValueError): listing all arrays that do not fit.
    """
    state = read_state_dict(path)
    try:
        stored = stored_config(path)
        config = config_of(state, **told) if stored is None else replace(stored, **told)
        return config, from_torch(state, config)
    except WeightsError as error:
        raise WeightsError(error.problems, str(path)) from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def stored_config(path: str | os.PathLike) -> IMOConfig | None:
    """The config that an .npz tells itself (its entry `config`, JSON), or None.

    Raises:
      ValueError: it is not one.
    """
    if pathlib.Path(path).suffix.lower() != ".npz":
        return None
    arrays = read_npz(path)
    return from_dict(IMOConfig, json.loads(str(arrays["config"]))) if "config" in arrays else None


def config_of(state: Mapping[str, np.ndarray], **told: Any) -> IMOConfig:
    """The config of the network that has these weights.

    What shapes tell is read from them. What they cannot tell is as released, if the network has the
    released widths; of another one it must be told: the groups of the group norms, and how the
    decoder's attention splits into heads and points. The auxiliary head is left out: it served
    training alone.

    Args:
      state: name -> array (see `files.read_state_dict`).
      told: fields of IMOConfig that are known.

    Raises:
      ValueError: no whole IMO network, or fields that have to be told.
    """
    arrays = strip_prefixes(state)
    if not any(name.startswith(CHANNEL_MLP) for name in arrays):
        raise ValueError("the file holds no whole IMO network under the released names")
    try:
        found = {
            "use_oct": any(name.startswith("oct_encoder.") for name in arrays),
            "grade": any(name.startswith("class_head.") for name in arrays),
            "segment": any(name.startswith("decode_head.") for name in arrays),
            **_encoders(arrays),
        }
        found |= _oct(arrays) if found["use_oct"] else {}
        found |= _grading(arrays) if found["grade"] else {}
        found |= _decoder(arrays, told) if found["segment"] else {}
    except KeyError as error:
        raise ValueError(f"the file lacks {error.args[0]}, which every IMO network has") from error
    if unknown := _untold(found, told):
        raise ValueError(
            "the file's network has other widths than the released one, and its arrays do not tell "
            f"{' and '.join(unknown)}; say them"
        )
    return IMOConfig(**(found | told))


def _numbers(arrays: Mapping[str, np.ndarray], pattern: str) -> list[int]:
    """The different numbers that the pattern's group captures, ascending."""
    matches = (re.match(pattern, name) for name in arrays)
    return sorted({int(match.group(1)) for match in matches if match})


def _encoders(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    stages = _numbers(arrays, r"backbone\.stages\.(\d+)\.")
    stems = {m.group(1) for n in arrays if (m := re.fullmatch(r"(CMFA\..+)\.0\.weight", n))}
    channels = arrays["neck.merge.down.conv.weight"].shape[0]
    return {
        "backbone_depths": tuple(
            len(_numbers(arrays, rf"backbone\.stages\.{i}\.(\d+)\.")) for i in stages
        ),
        "backbone_widths": tuple(arrays[f"backbone.norm{i}.weight"].shape[0] for i in stages),
        "feature_dim": channels,
        "shared_channel_attention": len(stems) < 2,
        "channel_attention_reduction": channels // arrays[f"{CHANNEL_MLP}.0.weight"].shape[0],
    }


def _oct(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    kernels = [array for name, array in arrays.items()
               if re.fullmatch(r"oct_encoder\..+\.dw\.weight", name)]  # fmt: skip
    # The first block sees the slices as channels: (slices, 1, 3, 3).
    return {"oct_slices": arrays["oct_encoder.encoder.0.dw.weight"].shape[0],
            "oct_blocks": len(kernels)}  # fmt: skip


def _grading(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    squeezed = arrays["class_head.att.fc.1.weight"]  # (hidden / reduction, hidden, 1, 1)
    return {
        "num_grades": arrays["class_head.mlp.3.weight"].shape[0],
        "grade_hidden": squeezed.shape[1],
        "grade_blocks": len(_numbers(arrays, r"class_head\.blocks\.(\d+)\.")),
        "se_reduction": squeezed.shape[1] // squeezed.shape[0],
    }


def _decoder(arrays: Mapping[str, np.ndarray], told: dict[str, Any]) -> dict[str, Any]:
    layer = "decode_head.encoder.layers.0"
    found = {
        "num_classes": arrays["decode_head.conv_seg.pointwise.weight"].shape[0],
        "decoder_layers": len(_numbers(arrays, r"decode_head\.encoder\.layers\.(\d+)\.")),
        "decoder_mlp": arrays[f"{layer}.ffns.0.layers.0.0.weight"].shape[0],
        "refine": "ddim" if "embedding_table.weight" in arrays else "single",
    }
    product = arrays[f"{layer}.attentions.0.attention_weights.weight"].shape[0]
    if "decoder_heads" in told:
        found["decoder_points"] = product // told["decoder_heads"]
    elif product != RELEASED.decoder_heads * RELEASED.decoder_points:
        found["decoder_heads"] = None
    if found["refine"] == "ddim":
        found["time_frequencies"] = arrays["time_mlp.0.weights"].shape[0]
        found["time_dim"] = arrays["time_mlp.1.weight"].shape[0]
    return found


def _untold(found: dict[str, Any], told: dict[str, Any]) -> list[str]:
    """Fields that neither the shapes nor anybody told."""
    unknown = []
    if found["feature_dim"] != RELEASED.feature_dim and "norm_groups" not in told:
        unknown.append("norm_groups")
    if found.get("decoder_heads", RELEASED.decoder_heads) is None and "decoder_heads" not in told:
        unknown.append("decoder_heads")
    return unknown

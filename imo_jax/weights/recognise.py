"""The families of backbones that are known, and what a file of weights holds."""

from collections.abc import Mapping

import numpy as np

from imo_jax.weights.beit import BEIT
from imo_jax.weights.convnext import CONVNEXT
from imo_jax.weights.efficientnet_lite import EFFICIENTNET_LITE
from imo_jax.weights.efficientvit import EFFICIENTVIT
from imo_jax.weights.family import Found, identify
from imo_jax.weights.imo import CHANNEL_MLP
from imo_jax.weights.mit import MIT
from imo_jax.weights.mscan import MSCAN
from imo_jax.weights.prefixes import strip_prefixes
from imo_jax.weights.resnet import RESNET
from imo_jax.weights.rules import WeightsError
from imo_jax.weights.vit import VIT

# A family is one entry here: a `Family`, with a table of names for each library.
FAMILIES = (RESNET, CONVNEXT, EFFICIENTNET_LITE, VIT, BEIT, EFFICIENTVIT, MIT, MSCAN)


def is_imo(state: Mapping[str, np.ndarray]) -> bool:
    """Whether the arrays are a whole IMO network's, under the released names."""
    return any(name.startswith(CHANNEL_MLP) for name in strip_prefixes(state))


def recognise(state: Mapping[str, np.ndarray]) -> Found:
    """What a file holds, by the names of its arrays.

    Args:
      state: name -> array (see `files.read_state_dict`).

    Raises:
      WeightsError: no family of FAMILIES.
    """
    if is_imo(state):
        raise WeightsError(["the file holds a whole IMO network (released names), no backbone"])
    return identify(state, FAMILIES)

"""What the programs need to know of each kind of network, by the type of its config."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from experiments.config import EyeRunConfig
from imo_jax.models import baselines
from imo_jax.models.graders.config import GraderConfig
from imo_jax.models.imo import sample
from imo_jax.models.imo.config import IMOConfig
from imo_jax.models.imo.model import IMO
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.train.baseline_objective import BaselineObjective
from imo_jax.train.imo_objective import ImoObjective
from imo_jax.train.objectives import Objective


@dataclass(frozen=True)
class Kind:
    """A kind of network.

    Attributes:
      title: config of the network -> its name for people.
      objective: config of a run -> what its training minimises.
      init: config of the network, key, photograph, volume or None -> variables.
      backbone: where in the variables pretrained weights belong.
    """

    title: Callable[[Any], str]
    objective: Callable[[EyeRunConfig], Objective]
    init: Callable[[Any, jax.Array, np.ndarray, np.ndarray | None], dict[str, Any]]
    backbone: tuple[str, ...]


def _init_baseline(
    model: baselines.BaselineConfig, key: jax.Array, fundus: np.ndarray, volume: np.ndarray | None
) -> dict[str, Any]:
    return baselines.module(model).init(key, fundus, volume, train=False)


_BASELINE = {
    "title": lambda model: f"{model.network} ({model.size_name})",
    "objective": lambda config: BaselineObjective(config.model, config.objective),
    "init": _init_baseline,
    "backbone": ("backbone",),
}
KINDS = {
    IMOConfig: Kind(
        title=lambda model: "IMO",
        objective=lambda config: ImoObjective(
            config.model, config.objective, config.loop.train_steps
        ),
        init=lambda model, key, fundus, volume: IMO(model).init(key, fundus, volume),
        backbone=("fundus_encoder", "backbone"),
    ),
    SegmenterConfig: Kind(**_BASELINE),
    GraderConfig: Kind(**_BASELINE),
}


def kind(model: Any) -> Kind:
    """The kind of a network, from its config."""
    return KINDS[type(model)]


def diffuses(model: Any) -> bool:
    """Whether the network segments by denoising: then it has samples, steps and an x_t."""
    return isinstance(model, IMOConfig) and model.segment and model.refine == "ddim"


def samples(config: EyeRunConfig) -> int:
    """Samples an eye in evaluation; 1 of a network that has a single answer."""
    return config.evaluation.eval_samples if diffuses(config.model) else 1


def predict(
    variables: Any, batch: dict[str, Any], model: Any, *, samples: int, **options: Any
) -> dict[str, jax.Array]:
    """Outputs of `models.imo.sample.predict`, of any kind of network.

    Args:
      variables: of the network.
      batch: what goes to the device.
      model: config of the network.
      samples, options: of `models.imo.sample.predict`; a network with a single answer has none.
    """
    if isinstance(model, IMOConfig):
        return sample.predict(variables, batch, config=model, samples=samples, **options)
    return baselines.predict_baseline(variables, batch, config=model)

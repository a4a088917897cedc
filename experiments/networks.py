"""What the programs need to know of each kind of network, by the type of its config."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from experiments.config import EyeRunConfig
from imo_jax.models.graders.config import GraderConfig
from imo_jax.models.imo.config import IMOConfig
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.predictor.answers import diffuses
from imo_jax.train.baseline_objective import BaselineObjective
from imo_jax.train.imo_objective import ImoObjective
from imo_jax.train.objectives import Objective


@dataclass(frozen=True)
class Kind:
    """A kind of network.

    Attributes:
      title: config of the network -> its name for people.
      objective: config of a run -> what its training minimises.
      backbone: where in the variables pretrained weights belong.
    """

    title: Callable[[Any], str]
    objective: Callable[[EyeRunConfig], Objective]
    backbone: tuple[str, ...]


_BASELINE = {
    "title": lambda model: f"{model.network} ({model.size_name})",
    "objective": lambda config: BaselineObjective(config.model, config.objective),
    "backbone": ("backbone",),
}
KINDS = {
    IMOConfig: Kind(
        title=lambda model: "IMO",
        objective=lambda config: ImoObjective(
            config.model, config.objective, config.loop.train_steps
        ),
        backbone=("fundus_encoder", "backbone"),
    ),
    SegmenterConfig: Kind(**_BASELINE),
    GraderConfig: Kind(**_BASELINE),
}


def kind(model: Any) -> Kind:
    """The kind of a network, from its config."""
    return KINDS[type(model)]


def samples(config: EyeRunConfig) -> int:
    """Samples an eye in evaluation; 1 of a network that has a single answer."""
    return config.evaluation.eval_samples if diffuses(config.model) else 1


"""What only the programs need to know of each kind of network: what its training minimises."""

from collections.abc import Callable

from experiments.config import EyeRunConfig
from imo_jax.models.registry import diffuses, kind_of
from imo_jax.train.baseline_objective import BaselineObjective
from imo_jax.train.imo_objective import ImoObjective
from imo_jax.train.objectives import Objective


def _of_imo(config: EyeRunConfig) -> Objective:
    return ImoObjective(config.model, config.objective, config.loop.train_steps)


def _of_baseline(config: EyeRunConfig) -> Objective:
    return BaselineObjective(config.model, config.objective)


# Name of `registry.KINDS` -> config of a run -> objective.
OBJECTIVES: dict[str, Callable[[EyeRunConfig], Objective]] = {
    "imo": _of_imo,
    "segmenter": _of_baseline,
    "grader": _of_baseline,
}


def objective(config: EyeRunConfig) -> Objective:
    """What the training of a run minimises."""
    return OBJECTIVES[kind_of(config.model).name](config)


def samples(config: EyeRunConfig) -> int:
    """Samples an eye in evaluation; 1 of a network that has a single answer."""
    return config.evaluation.eval_samples if diffuses(config.model) else 1

"""Our networks as the benchmark needs them: objective, initial variables, names for the twin."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.speed.task import Task
from benchmarks.twins import semt_weights, unet_weights
from imo_jax import weights
from imo_jax.layers.stochastic import layer_keys
from imo_jax.models.imo import IMO, IMOConfig
from imo_jax.models.imo.model import STRIDE
from imo_jax.models.segmenters import SegmenterConfig
from imo_jax.models.segmenters import network as unet_network
from imo_jax.models.semt import SemtConfig, network
from imo_jax.train import keys
from imo_jax.train.baseline_objective import BaselineObjective
from imo_jax.train.eye_losses import MaskLossConfig
from imo_jax.train.imo_objective import ImoObjective, ObjectiveConfig
from imo_jax.train.objectives import Objective
from imo_jax.train.screening_objective import ScreeningObjective, ScreeningObjectiveConfig

# Both losses as released: pixel cross entropy over all pixels, cross entropy of the grade.
RELEASED = ObjectiveConfig(dice_weight=0.0, auxiliary_weight=0.0, divide_by="all")

# Initial sampling places are the centres of pixels, where bilinear interpolation has a slope to
# either side and rounding decides which is taken. Moved so far (pixels), gradients are comparable.
OFF_CENTRE = 0.25


@dataclasses.dataclass(frozen=True)
class Model:
    """A network.

    Attributes:
      config: its frozen config.
      initial: key -> variables.
      objective: what training minimises.
      to_torch: variables, or trees like them -> state dict of the twin.
      draws: key, indices (B,) -> what the first training step draws, by name and in the twin's
        layout.
    """

    config: Any
    initial: Callable[[jax.Array], Any]
    objective: Objective
    to_torch: Callable[[Any], dict[str, np.ndarray]]
    draws: Callable[[jax.Array, np.ndarray], dict[str, np.ndarray]]


def model_of(task: Task) -> Model:
    """The model of a task."""
    makers = {"imo": _imo, "semt": _semt, "unet": _unet, "two_stages": _two_stages}
    return makers[task.model](task)


def _imo(task: Task) -> Model:
    config = IMOConfig(**task.network)

    def initial(key: jax.Array) -> Any:
        image, volume = jnp.zeros((1, 64, 64, 3)), jnp.zeros((1, 16, 16, config.oct_slices))
        variables = IMO(config).init(key, image, volume)
        for i in range(config.decoder_layers):
            offsets = variables["params"]["decoder"][f"layer{i}"]["attention"]["offsets"]
            offsets["bias"] += OFF_CENTRE
        return variables

    def draws(key: jax.Array, index: np.ndarray) -> dict[str, np.ndarray]:
        examples = keys.example_keys(key, jnp.int32(0), index)
        side = task.size // STRIDE
        noise = _each(
            jax.random.normal, keys.named(examples, "noise"), (side, side, config.feature_dim)
        )
        time = _each(jax.random.uniform, keys.named(examples, "time"), ())
        layers = keys.named(examples, "layers")
        return {
            # (B, h, w, C) -> (B, C, h, w)
            "noise": np.moveaxis(noise, -1, 1),
            "time": time * np.float32(RELEASED.max_time),
            "drop_path": _drop_path(layers, config),
            "dropout": _kept(
                layers,
                ("grading_head", "dropout"),
                config.grade_dropout,
                (config.grade_hidden // 2,),
            ),
        }

    return Model(
        config,
        initial,
        ImoObjective(config, RELEASED, train_steps=1),
        lambda variables: weights.to_torch(variables, config),
        draws,
    )


def _semt(task: Task) -> Model:
    config = SemtConfig(**task.network)

    def initial(key: jax.Array) -> Any:
        return network(config).init(key, jnp.zeros((1, 64, 64, 3)), train=False)

    return Model(
        config,
        initial,
        ScreeningObjective(config, ScreeningObjectiveConfig()),
        semt_weights.to_torch,
        lambda key, index: {},
    )


def _unet(task: Task) -> Model:
    config = SegmenterConfig(**task.network)

    def initial(key: jax.Array) -> Any:
        return unet_network(config).init(key, jnp.zeros((1, 64, 64, 3)), train=False)

    return Model(
        config,
        initial,
        BaselineObjective(config, MaskLossConfig(dice_weight=0.0, divide_by="all")),
        lambda variables: unet_weights.to_torch(variables, config.encoder),
        lambda key, index: {},
    )


def _two_stages(task: Task) -> Model:
    """The photographs' IMO, of the first stage or the second; it has no twin."""
    config = IMOConfig(**task.network)
    objective = ObjectiveConfig(label_grid="mean", auxiliary_dice_weight=0.4)  # of the default preset
    return Model(
        config,
        lambda key: IMO(config).init(key, jnp.zeros((1, 64, 64, 3)), None),
        ImoObjective(config, objective, train_steps=1),
        lambda variables: {},
        lambda key, index: {},
    )


def _each(draw: Callable, example_keys: jax.Array, shape: tuple[int, ...]) -> np.ndarray:
    """draw(key, shape) of each example: (B, *shape) float32."""
    return np.asarray(jax.vmap(lambda key: draw(key, shape, jnp.float32))(example_keys))


def _drop_path(layers: jax.Array, config: IMOConfig) -> np.ndarray:
    """(blocks, B) bool: which blocks the examples keep."""
    rates = iter(np.linspace(0, config.drop_path, sum(config.backbone_depths)).tolist())
    return np.stack([
        _kept(layers, ("fundus_encoder", "backbone", f"stage{i}_block{j}", "drop_path"), next(rates))
        for i, depth in enumerate(config.backbone_depths)
        for j in range(depth)
    ])  # fmt: skip


def _kept(
    layers: jax.Array, path: tuple[str, ...], rate: float, shape: tuple[int, ...] = ()
) -> np.ndarray:
    """(B, *shape) bool, what layers/stochastic.py keeps at `path`."""
    drawn = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate, shape))
    return np.asarray(drawn(layer_keys(layers, path)))

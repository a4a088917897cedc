"""Every kind of network: its config, module and sizes, how it begins and how it is asked.

What is said of a network is said here and nowhere else; what takes any network asks `kind_of`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from imo_jax.models import graders, imo, segmenters, semt, single_answer
from imo_jax.models.imo import sample
from imo_jax.models.semt.config import SIZES as SEMT_SIZES
from imo_jax.models.semt.config import SemtConfig

Variables = Any


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of network.

    Attributes:
      name: of KINDS; a run folder has it.
      config: class of the networks' configs.
      module: config -> the Flax module.
      sizes: names of the sizes; where the config chooses among networks, by network.
      backbone: where in the variables pretrained weights belong.
      init: config, key -> {"params", "batch_stats"} before training.
      predict: variables, batch, config -> outputs. Of eyes those of `models.imo.sample.predict`,
        whose options it takes; a network that has a single answer does not look at them. Of
        volumes those of `models.semt.networks`.
      title: config -> the network's name for people.
    """

    name: str
    config: type
    module: Callable[[Any], nn.Module]
    sizes: Mapping[str, Any]
    backbone: tuple[str, ...]
    init: Callable[[Any, jax.Array], Variables]
    predict: Callable[..., dict[str, jax.Array]]
    title: Callable[[Any], str]


def _eyes(config: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """A photograph and a volume; small, as parameters do not depend on their sizes."""
    volume = None
    if config.use_oct:
        volume = np.zeros((1, 8, 8, config.oct_slices), np.float32)
    return np.zeros((1, 32, 32, 3), np.float32), volume


def _init_imo(config: imo.IMOConfig, key: jax.Array) -> Variables:
    return imo.IMO(config).init(key, *_eyes(config))


def _init_segmenter(config: segmenters.SegmenterConfig, key: jax.Array) -> Variables:
    return segmenters.network(config).init(key, *_eyes(config), train=False)


def _init_grader(config: graders.GraderConfig, key: jax.Array) -> Variables:
    return graders.Grader(config).init(key, *_eyes(config), train=False)


def _init_semt(config: SemtConfig, key: jax.Array) -> Variables:
    shape = (1, 32, 32, 3) if config.input == "scan" else (1, 16, 16, 16, 1)
    return semt.network(config).init(key, np.zeros(shape, np.float32), train=False)


def _predict_imo(
    variables: Variables, batch: dict[str, Any], config: imo.IMOConfig, **options: Any
) -> dict[str, jax.Array]:
    return sample.predict(variables, batch, config=config, **options)


def _predict_once(
    variables: Variables, batch: dict[str, Any], config: Any, **options: Any
) -> dict[str, jax.Array]:
    del options  # a single answer has none
    return single_answer.predict(variables, batch, network=kind_of(config).module(config))


def _predict_volumes(
    variables: Variables, batch: dict[str, Any], config: SemtConfig
) -> dict[str, jax.Array]:
    return single_answer.predict_volumes(variables, batch, network=semt.network(config))


def _title_imo(config: imo.IMOConfig) -> str:
    return "IMO" if config.encoder is None else f"IMO ({config.encoder})"


def _title(config: Any) -> str:
    chosen = [config.size_name] + ([config.encoder] if config.encoder else [])
    return f"{config.network} ({', '.join(chosen)})"


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="imo",
            config=imo.IMOConfig,
            module=imo.IMO,
            sizes=imo.SIZES,
            backbone=("fundus_encoder", "backbone"),
            init=_init_imo,
            predict=_predict_imo,
            title=_title_imo,
        ),
        Kind(
            name="segmenter",
            config=segmenters.SegmenterConfig,
            module=segmenters.network,
            sizes=segmenters.SIZES,
            backbone=("backbone",),
            init=_init_segmenter,
            predict=_predict_once,
            title=_title,
        ),
        Kind(
            name="grader",
            config=graders.GraderConfig,
            module=graders.Grader,
            sizes=graders.SIZES,
            backbone=("backbone",),
            init=_init_grader,
            predict=_predict_once,
            title=_title,
        ),
        Kind(
            name="semt",
            config=SemtConfig,
            module=semt.network,
            sizes=SEMT_SIZES,
            backbone=("backbone",),
            init=_init_semt,
            predict=_predict_volumes,
            title=lambda config: config.network,
        ),
    )
}


def kind_of(config: Any) -> Kind:
    """The kind of a network, from its config.

    Raises:
      ValueError: no network has such a config.
    """
    for kind in KINDS.values():
        if isinstance(config, kind.config):
            return kind
    raise ValueError(f"{type(config).__name__} is no config of {', '.join(KINDS)}")


def diffuses(config: Any) -> bool:
    """Whether the network segments by denoising: then it has samples, steps and an x_t."""
    return isinstance(config, imo.IMOConfig) and config.segment and config.refine == "ddim"

"""The sampler at work on eyes, step by step."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from data_pipelines.load.mirrored import mirrored
from imo_jax.diffusion.ddim import sampling_times
from imo_jax.diffusion.schedule import log_snr
from imo_jax.models.imo.config import IMOConfig
from imo_jax.models.imo.model import IMO
from imo_jax.models.imo.sample import predict
from imo_jax.predictor.answers import NOISE_SEED
from imo_jax.train.initial import RUN_ONCE
from imo_jax.visualisation.denoising_strip import denoising_strip


@dataclasses.dataclass(frozen=True)
class Denoising:
    """The sampler at work on one eye.

    Attributes:
      times: (K,) of its steps, 1 = noise.
      probabilities: (K, S, S, 3) of background, rim and cup that each step predicts.
      strip: (height, width, 3) uint8: x_t, what it tells, the x0 predicted.
    """

    times: np.ndarray
    probabilities: np.ndarray
    strip: np.ndarray


def denoisings(
    variables: Any, model: IMOConfig, examples: Sequence[dict[str, Any]], turned: Sequence[bool]
) -> Iterator[Denoising]:
    """The denoising steps of some eyes.

    Args:
      variables: of the network.
      model: its config.
      examples: of a store: `fundus`, `mask`, `has_mask`, `id`, and `oct`, `has_oct` where it is used.
      turned: which of them, at least as many, the network is shown mirrored.
    """
    steps = jax.jit(
        functools.partial(predict, config=model, intermediates=True), compiler_options=RUN_ONCE
    )
    times = sampling_times(model.sampling_steps, model.time_difference, model.start_time)[:, 0]
    for example, other_side in zip(examples, turned, strict=False):
        seen = mirrored(example) if other_side else example
        batch = {"fundus": seen["fundus"][None], "index": np.zeros(1, np.uint32)}
        if model.use_oct:
            batch |= {"oct": seen["oct"][None], "has_oct": np.array([seen["has_oct"]])}
        outputs = jax.device_get(steps(variables, batch, key=jax.random.key(NOISE_SEED)))
        # (K, 1 sample, 1 eye, S, S, C) -> (K, S, S, C), as the example lies
        outputs = {name: outputs[name][:, 0, 0] for name in ("x_t", "x0_probabilities")}
        if other_side:
            outputs = {name: np.flip(x, axis=2) for name, x in outputs.items()}
        strip = _strip(variables, model, example, outputs)
        yield Denoising(times, outputs["x0_probabilities"], strip)


def _strip(
    variables: Any, model: IMOConfig, example: dict[str, Any], outputs: dict[str, Any]
) -> np.ndarray:
    times = sampling_times(model.sampling_steps, model.time_difference, model.start_time)[:, 0]
    embeddings = IMO(model).apply(variables, method="class_embeddings")[: model.num_classes]
    return denoising_strip(
        example["fundus"],
        outputs["x_t"],
        outputs["x0_probabilities"],
        times=times,
        log_snr=np.asarray(log_snr(times)),
        class_embeddings=np.asarray(embeddings),
        title=f"{example['id']}: from noise to a mask in {len(times)} steps",
        mask=example["mask"] if example["has_mask"] else None,
    )

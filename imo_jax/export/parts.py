"""What is exported of a run: pure functions of a batch of any size, described by one example.

Each is the predictor's own computation from uint8 pixels to probabilities, normalisation, sampler,
mirror and temperature included. It is written for one example and mapped over the batch, so that
no layer ever sees a batch whose size is not known: what layers choose by size, they choose for one.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.metrics.conformal import SMALLEST
from imo_jax.predictor import EyePredictor, VolumePredictor, answers, volume_batches

Arrays = dict[str, jax.Array]
Shapes = dict[str, jax.ShapeDtypeStruct]

NETWORK, LOCATOR = "network", "locator"
# What is kept of the predictors' outputs; those that a network lacks are left out.
OUTPUTS = ("grade_probabilities", "probabilities", "entropy", "probability", "vf", "cam")


@dataclasses.dataclass(frozen=True)
class Part:
    """A function that is exported.

    Attributes:
      name: NETWORK, or LOCATOR: what finds the square that the network sees.
      inputs: name -> shape and dtype of one example.
      of_one: an example's inputs, by name -> its outputs, by name.
      original: a batch's inputs -> its outputs as the predictor gives them, to compare with.
    """

    name: str
    inputs: Shapes
    of_one: Callable[..., Arrays]
    original: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]

    @functools.cached_property
    def outputs(self) -> Shapes:
        """Name -> shape and dtype of one example."""
        return jax.eval_shape(self.of_one, **self.inputs)

    def of_batch(self, **inputs: jax.Array) -> Arrays:
        """Inputs with a first axis of examples -> outputs with one."""
        return jax.vmap(self.of_one)(**inputs)

    def example_batch(self, size: int, seed: int = 0) -> dict[str, np.ndarray]:
        """Made-up inputs to compare with: smooth pictures, every second eye without a volume."""
        rng = np.random.default_rng(seed)
        batch = {}
        for name, x in self.inputs.items():
            if x.dtype == np.bool_:
                batch[name] = np.arange(size) % 2 == 0
            else:
                coarse = rng.integers(0, 256, (size, *(-(-n // 8) for n in x.shape[:2]), *x.shape[2:]))
                fine = coarse.repeat(8, axis=1).repeat(8, axis=2)[:, : x.shape[0], : x.shape[1]]
                batch[name] = fine.astype(np.uint8)
        return batch


def parts_of(predictor: EyePredictor | VolumePredictor) -> list[Part]:
    """The functions of a predictor (from `imo_jax.load`), in the order in which they are called."""
    if isinstance(predictor, VolumePredictor):
        return [_volume_part(predictor)]
    network = _eye_part(predictor)
    if predictor.locator is None:
        return [network]
    return [_locator_part(predictor.locator.predictor), network]


def eye_inputs(predictor: EyePredictor) -> Shapes:
    """What a network on eyes sees of one."""
    side, volume = predictor.settings.image_size, predictor.settings.oct_shape
    inputs = {"fundus": jax.ShapeDtypeStruct((side, side, 3), jnp.uint8)}
    if volume is not None:
        inputs["oct"] = jax.ShapeDtypeStruct(volume, jnp.uint8)
        inputs["has_oct"] = jax.ShapeDtypeStruct((), jnp.bool_)
    return inputs


def _eye_part(predictor: EyePredictor) -> Part:
    settings = predictor.settings
    how = {"samples": settings.samples, "mirror": settings.mirror}
    calibration, _ = predictor.calibration_of(settings.mirror)
    temperature = None if calibration is None else calibration.temperature

    def of_one(**eye: jax.Array) -> Arrays:
        outputs = answers.said(predictor.networks, _batch_of_one(eye), settings.model, **how)
        if temperature is not None and "grade_probabilities" in outputs:
            outputs["grade_probabilities"] = _tempered(outputs["grade_probabilities"], temperature)
        return _kept({name: x[0] for name, x in outputs.items()})

    def original(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        outputs = answers.ask(predictor.networks, batch, settings.model, **how)
        if calibration is not None and "grade_probabilities" in outputs:
            outputs["grade_probabilities"] = calibration.tempered(outputs["grade_probabilities"])
        return _kept(outputs)

    return Part(NETWORK, eye_inputs(predictor), of_one, original)


def _locator_part(predictor: EyePredictor) -> Part:
    """As `predictor.locator` asks it: without OCT and mirror, for the shapes alone."""
    settings = predictor.settings
    how = {"samples": settings.samples}

    def of_one(fundus: jax.Array) -> Arrays:
        outputs = answers.said(predictor.networks, {"fundus": fundus[None]}, settings.model, **how)
        return {"probabilities": outputs["probabilities"][0]}

    def original(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        outputs = answers.ask(predictor.networks, batch, settings.model, **how)
        return {"probabilities": outputs["probabilities"]}

    return Part(LOCATOR, {"fundus": eye_inputs(predictor)["fundus"]}, of_one, original)


def _volume_part(predictor: VolumePredictor) -> Part:
    settings = predictor.settings
    grid, name = settings.grid, settings.model.input
    shape = (grid.scan_size, grid.scan_size, 3) if name == "scan" else tuple(grid.cube_shape)

    def of_one(**pixels: jax.Array) -> Arrays:
        outputs = volume_batches.said(predictor.networks, _batch_of_one(pixels), settings.model)
        return _kept({name: x[0] for name, x in outputs.items()})

    def original(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return _kept(jax.device_get(volume_batches.said(predictor.networks, batch, settings.model)))

    return Part(NETWORK, {name: jax.ShapeDtypeStruct(shape, jnp.uint8)}, of_one, original)


def _batch_of_one(example: Arrays) -> Arrays:
    return {name: x[None] for name, x in example.items()}


def _kept(outputs: dict[str, Any]) -> dict[str, Any]:
    """The outputs that are exported."""
    return {name: outputs[name] for name in OUTPUTS if name in outputs}


def _tempered(probabilities: jax.Array, temperature: float) -> jax.Array:
    """`metrics.conformal.tempered`, traced."""
    return jax.nn.softmax(jnp.log(jnp.maximum(probabilities, SMALLEST)) / temperature, axis=-1)

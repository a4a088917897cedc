"""Predictions of a trained network, brought back to the photographs' own pixels."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np

from data_pipelines.framing import Frame, unframe_probabilities
from experiments.networks import predict

INPUTS = ("fundus", "oct", "has_oct", "index")  # of a batch, that go to the device
NOISE_SEED = 0  # of x_T: predictions of one network are the same whenever they are made


@dataclasses.dataclass(frozen=True)
class EyePrediction:
    """What the network says of one eye.

    Attributes:
      index: position in the split.
      id: of the eye.
      grade_probabilities: (G,) float32, or None.
      probabilities: (S, S, C) float32 on the working square, mean over samples, or None.
      sample_ids: (K, S, S) uint8 ids of each sample, or None.
      entropy: (S, S) float32 nats, or None.
    """

    index: int
    id: str
    grade_probabilities: np.ndarray | None
    probabilities: np.ndarray | None
    sample_ids: np.ndarray | None
    entropy: np.ndarray | None

    def native_probabilities(self, frame: Frame) -> np.ndarray | None:
        """(H0, W0, C) float32 at the photograph's own size; None where nothing is segmented."""
        if self.probabilities is None:
            return None
        return unframe_probabilities(self.probabilities, frame)


def predict_batches(
    variables: Any,
    batches: Iterable[dict[str, Any]],
    model: Any,
    *,
    samples: int,
    steps: int | None = None,
    zero_x_t: bool = False,
    without_oct: bool = False,
    between: Callable[[], None] = lambda: None,
) -> Iterator[EyePrediction]:
    """Predicts the valid eyes of batches in order.

    Args:
      variables: of the network.
      batches: as `data_pipelines.load.eval_batches` gives them.
      model: config of the network.
      samples: diffusion samples an eye.
      steps, zero_x_t: of a network that diffuses, see `imo_jax.models.imo.sample.predict`.
      without_oct: as if no eye had a volume.
      between: called before each batch; may raise to stop.
    """
    key = jax.random.key(NOISE_SEED)
    variables = jax.device_put(variables)
    for batch in batches:
        between()
        ids = batch["id"]
        inputs = {name: batch[name] for name in INPUTS if name in batch}
        if without_oct:
            inputs["has_oct"] = np.zeros_like(inputs["has_oct"])
        outputs = predict(
            variables,
            inputs,
            model,
            key=key,
            steps=steps,
            samples=samples,
            zero_x_t=zero_x_t,
        )
        outputs = jax.device_get(outputs)
        for row in np.flatnonzero(batch["valid"]):
            yield _eye(outputs, row, int(batch["index"][row]), ids[row])


def _eye(outputs: dict[str, np.ndarray], row: int, index: int, eye_id: str) -> EyePrediction:
    def of(name: str) -> np.ndarray | None:
        return outputs[name][row] if name in outputs else None

    sample_probabilities = of("sample_probabilities")
    return EyePrediction(
        index=index,
        id=eye_id,
        grade_probabilities=of("grade_probabilities"),
        probabilities=of("probabilities"),
        sample_ids=None
        if sample_probabilities is None
        else sample_probabilities.argmax(axis=-1).astype(np.uint8),
        entropy=of("entropy"),
    )

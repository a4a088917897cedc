"""Predictions of the eyes of a split, by a trained network or by one that is being trained."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np

from imo_jax.predictor.answers import EyeAnswer, answer_of, ask


@dataclasses.dataclass(frozen=True, kw_only=True)
class EyePrediction(EyeAnswer):
    """What a network says of one eye of a split.

    Attributes:
      index: position in the split.
      id: of the eye.
    """

    index: int
    id: str


def predict_batches(
    variables: Any,
    batches: Iterable[dict[str, Any]],
    model: Any,
    *,
    samples: int,
    without_oct: bool = False,
    between: Callable[[], None] = lambda: None,
    **options: Any,
) -> Iterator[EyePrediction]:
    """Predicts the valid eyes of batches in order.

    Args:
      variables: of the network.
      batches: as `data_pipelines.load.eval_batches` gives them.
      model: config of the network.
      samples: diffusion samples an eye.
      without_oct: as if no eye had a volume.
      between: called before each batch; may raise to stop.
      options: `mirror`, and those of a network that diffuses, see `imo_jax.predictor.answers.ask`.
    """
    networks = [jax.device_put(variables)]
    for batch in batches:
        between()
        seen = batch
        if without_oct:
            seen = batch | {"has_oct": np.zeros_like(batch["has_oct"])}
        outputs = ask(networks, seen, model, samples=samples, **options)
        for row in np.flatnonzero(batch["valid"]):
            answer = answer_of(outputs, row)
            parts = {field.name: getattr(answer, field.name) for field in dataclasses.fields(answer)}
            yield EyePrediction(index=int(batch["index"][row]), id=batch["id"][row], **parts)

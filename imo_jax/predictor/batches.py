"""What a network says of the eyes of batches, in order; and the mean of what two say."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np

from imo_jax.metrics.grade_map import GradeMap
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

    def regraded(self, grades: GradeMap | None) -> "EyePrediction":
        """The same with the probabilities of the grades that are scored."""
        if grades is None:
            return self
        probabilities = grades.probabilities(self.grade_probabilities)
        return dataclasses.replace(self, grade_probabilities=probabilities)


def predict_batches(
    variables: Any,
    batches: Iterable[dict[str, Any]],
    model: Any,
    *,
    samples: int,
    without_oct: bool = False,
    turned: np.ndarray | None = None,
    between: Callable[[], None] = lambda: None,
    **options: Any,
) -> Iterator[EyePrediction]:
    """Predicts the valid eyes of batches in order.

    Args:
      variables: of the network.
      batches: of eyes, as `data_pipelines.load.eval_batches` gives them.
      model: config of the network.
      samples: diffusion samples an eye.
      without_oct: as if no eye had a volume.
      turned: (n,) bool by the batches' `index`: which eyes the network is shown mirrored; None = none.
      between: called before each batch; may raise to stop.
      options: `mirror`, and those of a network that diffuses, see `imo_jax.predictor.answers.ask`.
    """
    networks = [jax.device_put(variables)]
    for batch in batches:
        between()
        seen = batch
        if without_oct:
            seen = batch | {"has_oct": np.zeros_like(batch["has_oct"])}
        rows = None
        if turned is not None:
            rows = batch["valid"] & turned[np.where(batch["valid"], batch["index"], 0)]
        outputs = ask(networks, seen, model, samples=samples, turned=rows, **options)
        for row in np.flatnonzero(batch["valid"]):
            answer = answer_of(outputs, row)
            parts = {field.name: getattr(answer, field.name) for field in dataclasses.fields(answer)}
            yield EyePrediction(index=int(batch["index"][row]), id=batch["id"][row], **parts)


def mean_predictions(
    first: Iterable[EyePrediction], second: Iterable[EyePrediction]
) -> Iterator[EyePrediction]:
    """Predictions with the mean of two networks' class probabilities; no grade, no samples.

    Raises:
      ValueError: they are not of the same eyes in the same order.
    """
    for one, other in zip(first, second, strict=True):
        if one.id != other.id:
            raise ValueError(f"an ensemble of different eyes: {one.id} and {other.id}")
        yield EyePrediction(
            index=one.index,
            id=one.id,
            grade_probabilities=None,
            probabilities=(one.probabilities + other.probabilities) / 2,
            sample_ids=None,
            entropy=None,
        )

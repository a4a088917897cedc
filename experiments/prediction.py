"""Predictions of the eyes of a split, by a trained network or by one that is being trained."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np

from data_pipelines.load.batches import eval_batches
from data_pipelines.load.mirrored import to_mirror
from data_pipelines.load.stores import Store
from imo_jax.metrics.grade_map import GradeMap
from imo_jax.predictor.answers import EyeAnswer, answer_of, ask

SCORED = "test"  # the split that evaluations and tables score


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
      batches: as `data_pipelines.load.eval_batches` gives them.
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


def predict_split(
    variables: Any,
    store: Store,
    split: str,
    config: Any,
    *,
    use_oct: bool | None = None,
    **asked: Any,
) -> Iterator[EyePrediction]:
    """Predicts the eyes of a split in order, as a run evaluates them.

    Args:
      variables: of the network.
      store, split: the eyes.
      config: of the run.
      use_oct: whether volumes are read; None = as the network wants.
      asked: of `predict_batches`, where it is to be asked in another way.
    """
    how, sides = config.evaluation, store.sides(split)
    turned = to_mirror(sides, "OS", config.augment.left_as_right)
    batches = eval_batches(
        store,
        split,
        batch_size=how.eval_batch_size,
        use_oct=config.model.use_oct if use_oct is None else use_oct,
    )
    asked = {"samples": config.samples, "mirror": how.mirror, "turned": turned, **asked}
    return predict_batches(variables, batches, config.model, **asked)


def predictions(run: Any, store: Store, **control: Any) -> Iterator[EyePrediction]:
    """Predictions of the test split, of a trained run's network or of one of its controls.

    In the grades that are scored.
    """
    found = predict_split(run.variables, store, SCORED, run.config, **control)
    return (prediction.regraded(run.grades) for prediction in found)

"""Predictions of the eyes of a split, by a trained network or by one that is being trained."""

from collections.abc import Iterator
from typing import Any

from data_pipelines.load.batches import eval_batches
from data_pipelines.load.mirrored import to_mirror
from data_pipelines.load.stores import Store
from imo_jax.predictor.batches import EyePrediction, predict_batches

SCORED = "test"  # the split that evaluations and tables score


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

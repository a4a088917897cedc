"""Predictions of the volumes of a split, and the records that are scored of them."""

from typing import Any

import numpy as np

from data_pipelines.load.screening_stores import ScreeningStore
from experiments.screening.config import ScreeningConfig
from imo_jax.metrics.screening import VolumeRecord
from imo_jax.predictor import volume_batches
from imo_jax.predictor.run import volume_settings
from imo_jax.predictor.volume_batches import VolumePredictions


def predict_volumes(
    variables: Any, store: ScreeningStore, split: str, config: ScreeningConfig, **asked: Any
) -> VolumePredictions:
    """Predicts every volume of a split as a run evaluates it.

    Args:
      variables: of the network.
      store, split: the volumes.
      config: of the run.
      asked: `between`, `stride` and `keep_seen` of `volume_batches.predict_volumes`.
    """
    settings = volume_settings(config)
    return volume_batches.predict_volumes([variables], store, split, settings, **asked)


def records(
    store: ScreeningStore, split: str, predictions: VolumePredictions
) -> list[VolumeRecord]:
    """The predictions beside what is known of each volume."""
    measured = np.where(store.has_vf(split), store.vf(split), np.nan)
    return [
        VolumeRecord(
            id=store.ids(split)[i],
            patient=store.patients(split)[i],
            eye=store.eyes(split)[i],
            visit=store.visits(split)[i],
            glaucoma=int(store.glaucoma(split)[i]),
            probability=float(predictions.probability[i]),
            vf_predicted=None if predictions.vf is None else predictions.vf[i],
            vf_measured=measured[i],
        )
        for i in range(store.num(split))
    ]

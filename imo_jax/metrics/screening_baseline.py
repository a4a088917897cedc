"""What can be said of a volume without looking at it: the commoner class, the mean visual field."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from imo_jax.metrics.screening import VolumeRecord


def glaucoma_share(glaucoma: np.ndarray) -> float:
    """Share of glaucoma among the (N,) classes 0 or 1 of a training set.

    As the probability of every volume it decides for the majority class, and is calibrated.

    Raises:
      ValueError: no classes at all.
    """
    if len(glaucoma) == 0:
        raise ValueError("the majority class needs at least one training volume")
    return float(np.mean(glaucoma))


def mean_field(vf: np.ndarray, has_vf: np.ndarray) -> np.ndarray:
    """(3,) mean of each index over the training volumes that have it; NaN where none has.

    Args:
      vf: (N, 3) in percent and dB.
      has_vf: (N, 3) bool.
    """
    count = has_vf.sum(axis=0)
    total = np.where(has_vf, vf, 0.0).sum(axis=0, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def constant_records(
    records: Sequence[VolumeRecord], probability: float, vf: np.ndarray | None = None
) -> list[VolumeRecord]:
    """The records of the same volumes if every prediction had been this one."""
    return [dataclasses.replace(r, probability=probability, vf_predicted=vf) for r in records]

"""From test eyes of all folds and seeds to the numbers of a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.comparison.rows import Row
from imo_jax.metrics.imo_eye import EyeRecord, dice_of
from imo_jax.metrics.imo_summary import imo_difference, imo_summary
from imo_jax.metrics.paired import wilcoxon_p

TESTED = ("disc", "cup")  # regions whose per-eye Dice is tested against IMO's


@dataclass(frozen=True)
class Finished:
    """A row whose runs are all scored.

    Attributes:
      row: of the table.
      title: what the table calls it.
      seeds: of each seed the test eyes of all folds, in one order for all rows.
      cost: see cost.measure_cost; and `train_s`, the median seconds of a training.
      rates: of each fold, learning rate -> validation score, of those tried; [] for a row made of
        others.
      chosen: the learning rate of each fold.
      masks: (N, S, S) uint8 predicted ids of fold 0, seed 0; None where nothing is segmented.
    """

    row: Row
    title: str
    seeds: Sequence[Sequence[EyeRecord]]
    cost: dict[str, Any]
    rates: Sequence[dict[float, float]]
    chosen: Sequence[float]
    masks: np.ndarray | None


def summaries(finished: Finished, resamples: int) -> list[dict[str, Any]]:
    """The scores of each seed."""
    return [imo_summary(records, resamples=resamples) for records in finished.seeds]


def differences(first: Finished, second: Finished, resamples: int) -> list[dict[str, Any]]:
    """First - second of each seed, paired by patient."""
    pairs = zip(first.seeds, second.seeds, strict=True)
    return [imo_difference(ours, theirs, resamples=resamples) for ours, theirs in pairs]


def eye_dice(seeds: Sequence[Sequence[EyeRecord]], region: str) -> tuple[list[str], np.ndarray]:
    """Ids of the eyes of which a region is scored, and (N,) its Dice, the mean over the seeds.

    Raises:
      ValueError: the seeds scored different eyes.
    """
    scored = [
        {r["id"]: dice[region] for r in records if region in (dice := dice_of(r))}
        for records in seeds
    ]
    ids = list(scored[0])
    if any(list(of_seed) != ids for of_seed in scored):
        raise ValueError("the seeds of a row scored different eyes")
    return ids, np.mean([list(of_seed.values()) for of_seed in scored], axis=0)


def wilcoxon(first: Finished, second: Finished, region: str) -> float | None:
    """p of the per-eye Dice of two rows (means over the seeds); None without segmented eyes.

    Raises:
      ValueError: the rows scored different eyes.
    """
    (ids, ours), (other_ids, theirs) = eye_dice(first.seeds, region), eye_dice(second.seeds, region)
    if not ids or not other_ids:
        return None
    if ids != other_ids:
        raise ValueError(f"{first.row.name} and {second.row.name} scored different eyes")
    return wilcoxon_p(ours, theirs)

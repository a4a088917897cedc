"""A comparison of methods on the same eyes, of which each is trained and scored: its numbers.

They are IMO and the rows of its paper's tables. `comparison_tables` says the numbers,
`comparison_eyes` shows the eyes, `comparison_page` is both on one page.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imo_jax.metrics.imo_eye import EyeRecord, dice_of
from imo_jax.metrics.imo_summary import imo_difference, imo_summary
from imo_jax.metrics.paired import wilcoxon_p

IMO = "imo"  # the row that the others are held against
TESTED = ("disc", "cup")  # regions whose per-eye Dice is tested against IMO's


@dataclasses.dataclass(frozen=True)
class Finished:
    """A row whose runs are all scored.

    Attributes:
      name: of the row.
      title: what the table calls it.
      seeds: of each seed the test eyes of all folds, in one order for all rows.
      cost: `parameters`, `flops` and `latency_s` of predicting an eye with so many `samples` on a
        `device`; `train_s`, the median seconds of a training.
      rates: of each fold, learning rate -> validation score, of those tried; [] for a row made of
        others.
      chosen: the learning rate of each fold.
      masks: (N, S, S) uint8 predicted ids of the first fold's eyes by seed 0; None where nothing is
        segmented.
      paper: key of the summary -> the paper's figure, as far as it is known.
    """

    name: str
    title: str
    seeds: Sequence[Sequence[EyeRecord]]
    cost: Mapping[str, Any]
    rates: Sequence[Mapping[float, float]]
    chosen: Sequence[float]
    masks: np.ndarray | None
    paper: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A finished table, and what it says of its rows by their names; `compared` makes it.

    Attributes:
      title: of the table.
      heads: of "segment" and "grade": what is scored.
      note: what else the paper says of its figures.
      setting: one sentence on what was run, on which data.
      rows: in their order.
      scores: the summary of each seed.
      against: of rows beside IMO, each seed's row - IMO.
      tests: of these, region -> Wilcoxon's p of the per-eye Dice.
    """

    title: str
    heads: Sequence[str]
    note: str
    setting: str
    rows: Sequence[Finished]
    scores: Mapping[str, list[dict[str, Any]]]
    against: Mapping[str, list[dict[str, Any]]]
    tests: Mapping[str, dict[str, float | None]]


def compared(rows: Sequence[Finished], resamples: int, **words: Any) -> Comparison:
    """The comparison of some rows.

    Args:
      rows: at least one; the others are held against IMO's, where it is there.
      resamples: of the bootstrap.
      words: `title`, `heads`, `note` and `setting` of the comparison.

    Raises:
      ValueError: the rows scored different eyes.
    """
    scores = {row.name: summaries(row, resamples) for row in rows}
    against: dict[str, list[dict[str, Any]]] = {}
    tests: dict[str, dict[str, float | None]] = {}
    if imo := next((row for row in rows if row.name == IMO), None):
        others = [row for row in rows if row.name != IMO]
        against = {row.name: differences(row, imo, resamples) for row in others}
        tests = {row.name: {r: wilcoxon(row, imo, r) for r in TESTED} for row in others}
    return Comparison(rows=rows, scores=scores, against=against, tests=tests, **words)


def summaries(row: Finished, resamples: int) -> list[dict[str, Any]]:
    """The scores of each seed."""
    return [imo_summary(records, resamples=resamples) for records in row.seeds]


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
        raise ValueError(f"{first.name} and {second.name} scored different eyes")
    return wilcoxon_p(ours, theirs)

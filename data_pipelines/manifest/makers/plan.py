"""How the rows of a manifest are dealt into splits or folds."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence

from data_pipelines import splits


@dataclasses.dataclass(frozen=True)
class SplitPlan:
    """How splits are drawn, by patient and alike in every stratum (grade or class).

    Attributes:
      val_fraction: of the patients (with folds: of those that are not in the test fold).
      test_fraction: of the patients; not used where the layout has a test split, or with folds.
      folds: 0, or the number of folds: one manifest each, and every row is in test once.
      seed: of every draw.
    """

    val_fraction: float = 0.2
    test_fraction: float = 0.2
    folds: int = 0
    seed: int = 0


def draw_splits(
    patients: Sequence[str], strata: Sequence[Hashable], given: Sequence[str], plan: SplitPlan
) -> list[list[str]]:
    """The splits of all rows: one list, or one for each fold.

    Args:
      patients: the patient of each row.
      strata: the stratum of each row.
      given: the layout's own split of each row, or "". Its test and val splits are kept (not with
        folds); one that it lacks is drawn from the rest.
      plan: what is wanted.

    Raises:
      ValueError: fractions or folds that are impossible.
    """
    everyone = range(len(patients))
    if plan.folds:
        fold_of = splits.stratified_folds(patients, strata, plan.folds, plan.seed)
        kept = [{i: "test" for i in everyone if fold_of[i] == fold} for fold in range(plan.folds)]
    else:
        kept = [{i: given[i] for i in everyone if given[i] in ("test", "val")}]
    drawn = []
    for fold, names in enumerate(kept):
        fractions = {"test": plan.test_fraction, "val": plan.val_fraction}
        fractions = {n: f for n, f in fractions.items() if n not in names.values()}
        drawn.append(_draw(patients, strata, names, fractions, plan.seed + fold))
    return drawn


def _draw(
    patients: Sequence[str],
    strata: Sequence[Hashable],
    kept: Mapping[int, str],
    fractions: Mapping[str, float],
    seed: int,
) -> list[str]:
    """The split of every row, those of `kept` being in theirs already."""
    rest = [i for i in range(len(patients)) if i not in kept]
    drawn = splits.stratified_splits(
        [patients[i] for i in rest], [strata[i] for i in rest], fractions, seed
    )
    names = dict(kept) | dict(zip(rest, drawn, strict=True))
    return [names[i] for i in range(len(patients))]

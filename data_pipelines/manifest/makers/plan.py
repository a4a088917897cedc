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
      given: the layout's own split of each row, or "". Its test split is kept (not with folds),
        and val is drawn from the rest.
      plan: what is wanted.

    Raises:
      ValueError: fractions or folds that are impossible.
    """
    everyone = range(len(patients))
    if plan.folds:
        fold_of = splits.stratified_folds(patients, strata, plan.folds, plan.seed)
        held_out = [{i for i in everyone if fold_of[i] == fold} for fold in range(plan.folds)]
        fractions = {"val": plan.val_fraction}
    else:
        held_out = [{i for i in everyone if given[i] == "test"}]
        fractions = {"val": plan.val_fraction}
        if not held_out[0]:
            fractions = {"test": plan.test_fraction} | fractions
    return [
        _draw(patients, strata, test, fractions, plan.seed + fold)
        for fold, test in enumerate(held_out)
    ]


def _draw(
    patients: Sequence[str],
    strata: Sequence[Hashable],
    test: set[int],
    fractions: Mapping[str, float],
    seed: int,
) -> list[str]:
    """The split of every row, those of `test` being "test" already."""
    rest = [i for i in range(len(patients)) if i not in test]
    drawn = splits.stratified_splits(
        [patients[i] for i in rest], [strata[i] for i in rest], fractions, seed
    )
    names = ["test"] * len(patients)
    for i, name in zip(rest, drawn, strict=True):
        names[i] = name
    return names

"""Random splits by patient, alike in every stratum.

All eyes of a patient share one fate. The result depends on the patients' names, their
strata and the seed; not on the order of the rows.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np


def stratified_splits(
    patients: Sequence[str],
    strata: Sequence[Hashable],
    fractions: Mapping[str, float],
    seed: int,
) -> list[str]:
    """Draws a split for every row.

    Args:
      patients: the patient of each row.
      strata: the stratum of each row, e.g. its grade; None is a stratum like any other. A
        patient with rows of several strata belongs to the stratum of that combination.
      fractions: the fraction of patients of each drawn split, e.g. {"val": 0.2, "test": 0.2};
        the rest is "train". A fraction above 0 gets at least one patient if there are enough.
      seed: of the draw.

    Returns:
      One of "train" and the names in fractions, for every row.

    Raises:
      ValueError: a fraction outside 0..1, or fractions that leave nothing to train on.
    """
    if any(not 0 <= f < 1 for f in fractions.values()) or sum(fractions.values()) >= 1:
        raise ValueError(f"fractions must be at least 0 and sum to less than 1, not {fractions}")
    rest = _ordered_patients(patients, strata, seed)
    total = len(rest)
    split_of = {}
    for name, fraction in fractions.items():
        count = round(fraction * total)
        if fraction > 0 and total > len(fractions):
            count = max(count, 1)
        # Evenly spaced picks from a list sorted by stratum take each stratum's share.
        picks = {int((i + 0.5) * len(rest) / count) for i in range(count)}
        split_of.update({rest[i]: name for i in picks})
        rest = [patient for i, patient in enumerate(rest) if i not in picks]
    return [split_of.get(patient, "train") for patient in patients]


def stratified_folds(
    patients: Sequence[str], strata: Sequence[Hashable], folds: int, seed: int
) -> list[int]:
    """Deals every row into one of `folds` folds, by patient, alike in every stratum.

    Returns:
      The fold of every row, 0..folds-1; fold sizes differ by at most one patient, and so does
      each stratum's share of a fold.

    Raises:
      ValueError: fewer than 2 folds, or fewer patients than folds.
    """
    ordered = _ordered_patients(patients, strata, seed)
    if not 2 <= folds <= len(ordered):
        raise ValueError(
            f"folds must be at least 2 and at most the number of patients ({len(ordered)}), "
            f"not {folds}"
        )
    fold_of = {patient: position % folds for position, patient in enumerate(ordered)}
    return [fold_of[patient] for patient in patients]


def _ordered_patients(patients: Sequence[str], strata: Sequence[Hashable], seed: int) -> list[str]:
    """Patients sorted by stratum, in random order within each."""
    if len(patients) != len(strata):
        raise ValueError(f"{len(patients)} patients but {len(strata)} strata")
    seen: dict[str, set[str]] = {}
    for patient, stratum in zip(patients, strata, strict=True):
        seen.setdefault(patient, set()).add(str(stratum))
    names = sorted(seen)
    shuffled = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    return sorted(shuffled, key=lambda patient: sorted(seen[patient]))

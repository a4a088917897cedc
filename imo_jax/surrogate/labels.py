"""Surrogate labels: volumes without a visual field borrow that of their nearest of the same class.

Unlabelled data is paired with labelled data of its own class, glaucoma or normal, by the distance
of their descriptors (SEMT, section 2.1). Give the training split only: a donor from the test split
would be a leak.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from imo_jax.labels import SCREENING_NAMES
from imo_jax.surrogate.neighbours import nearest
from imo_jax.visual_field import INDICES


def _inverse(distance: np.ndarray) -> np.ndarray:
    """1 / distance; in rows that have a distance of 0, 1 for those and 0 for the others."""
    zero = distance == 0
    inverse = 1.0 / np.where(zero, 1.0, distance)
    return np.where(zero.any(axis=1, keepdims=True), zero, inverse).astype(np.float64)


# Weighting -> distances (M, k) -> weights (M, k) before they are made to sum to 1.
WEIGHTINGS = {"inverse_distance": _inverse, "uniform": np.ones_like}


@dataclass(frozen=True)
class Surrogates:
    """Visual fields with what was missing borrowed.

    Attributes:
      vf: (V, 3) float32, native units: measured values where there are any, else borrowed ones.
      has_vf: (V, 3) bool: all, but for an index that no volume has.
      borrower: (M,) int64, volumes that borrow at least one index, ascending.
      borrowed: (M, 3) bool, which indices.
      donor: (M, 3, k) int64, of each index, nearest first; -1 where it is not borrowed.
      distance: (M, 3, k) float64, Euclidean, of the descriptors; 0 where not borrowed.
      weight: (M, 3, k) float64, of each donor's value in what is lent; sums to 1, or 0 where not
        borrowed.
    """

    vf: np.ndarray
    has_vf: np.ndarray
    borrower: np.ndarray
    borrowed: np.ndarray
    donor: np.ndarray
    distance: np.ndarray
    weight: np.ndarray


def assign(
    descriptors: np.ndarray,
    glaucoma: np.ndarray,
    vf: np.ndarray,
    has_vf: np.ndarray,
    *,
    k: int = 1,
    weighting: str = "inverse_distance",
) -> Surrogates:
    """Fills in the missing visual fields of a training set.

    A volume keeps the indices of its own, and borrows each of the others from the nearest of its
    class that has it: where visual fields are complete, as in the paper, all come from one donor. An
    index that no volume has, as VFI and PSD in sets that publish MD alone, stays missing.

    Args:
      descriptors: (V, C) float32 of every volume, see `descriptor`.
      glaucoma: (V,) integer 0 or 1.
      vf: (V, 3) float, native units; not looked at where `has_vf` is False.
      has_vf: (V, 3) bool.
      k: donors per borrower; the paper's is 1.
      weighting: how k > 1 donors are averaged, one of WEIGHTINGS. With "inverse_distance" donors
        at distance 0 share all the weight.

    Raises:
      ValueError: unknown weighting, no index is known, or a class in which an index is borrowed has
        fewer than k volumes with it; names classes and indices.
    """
    if weighting not in WEIGHTINGS:
        raise ValueError(f"weighting is {weighting!r}; choose one of {', '.join(WEIGHTINGS)}")
    known = has_vf.any(axis=0)
    _check(glaucoma, has_vf, known, k)
    missing = ~has_vf & known
    borrower = np.flatnonzero(missing.any(axis=1))
    donor = np.full((len(borrower), len(INDICES), k), -1, np.int64)
    distance, weight = np.zeros(donor.shape), np.zeros(donor.shape)
    filled = vf.astype(np.float32)
    searched: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
    for label in np.unique(glaucoma[borrower]):
        for j in np.flatnonzero(known):
            pool = np.flatnonzero(has_vf[:, j] & (glaucoma == label))
            rows = np.flatnonzero(missing[borrower, j] & (glaucoma[borrower] == label))
            if not len(rows):
                continue
            same = pool.tobytes() + b"|" + rows.tobytes()  # As a rule all indices come together.
            if same not in searched:
                searched[same] = nearest(descriptors[borrower[rows]], descriptors[pool], k)
            found, distance[rows, j] = searched[same]
            donor[rows, j] = pool[found]
            weights = WEIGHTINGS[weighting](distance[rows, j])
            weight[rows, j] = weights / weights.sum(axis=1, keepdims=True)
            lent = vf[donor[rows, j], j].astype(np.float64)
            filled[borrower[rows], j] = np.sum(weight[rows, j] * lent, axis=1)
    return Surrogates(filled, has_vf | known, borrower, missing[borrower], donor, distance, weight)


def _check(glaucoma: np.ndarray, has_vf: np.ndarray, known: np.ndarray, k: int) -> None:
    if k < 1:
        raise ValueError(f"k is {k}; a borrower needs at least one donor")
    if not known.any():
        raise ValueError(
            f"surrogate visual fields: no training volume has any of {', '.join(INDICES)} to lend"
        )
    problems = []
    for label, name in enumerate(SCREENING_NAMES):
        own = has_vf[glaucoma == label]
        for j in np.flatnonzero(known):
            borrowing, lending = int(np.sum(~own[:, j])), int(np.sum(own[:, j]))
            if borrowing and lending < k:
                problems.append(
                    f"{borrowing} volumes of class {name} lack {INDICES[j]}, and {lending} of that "
                    f"class have it to lend, of {k} needed"
                )
    if problems:
        raise ValueError("surrogate visual fields: " + "; ".join(problems))


def loan_rows(
    surrogates: Surrogates, ids: list[str], patients: list[str], glaucoma: np.ndarray
) -> list[dict[str, Any]]:
    """Who lent what to whom, one row for each borrower and donor, ready for a CSV.

    Args:
      surrogates: from `assign`.
      ids, patients, glaucoma: of all V volumes.

    Returns:
      Rows of `borrower`, `borrower_patient`, `class`, `borrowed` (indices, with spaces), `rank`
      (1 = nearest), `donor`, `donor_patient`, `distance`, `weight`, and what is lent of the donor's
      `vfi`, `md`, `psd` in percent and dB, None otherwise. Indices of one donor share a row.
    """
    rows = []
    for m, v in enumerate(surrogates.borrower):
        for rank, d, j, lent in _loans(surrogates, m):
            rows.append(
                {
                    "borrower": ids[v],
                    "borrower_patient": patients[v],
                    "class": SCREENING_NAMES[int(glaucoma[v])],
                    "borrowed": " ".join(INDICES[i] for i in lent),
                    "rank": rank + 1,
                    "donor": ids[d],
                    "donor_patient": patients[d],
                    "distance": float(surrogates.distance[m, j, rank]),
                    "weight": float(surrogates.weight[m, j, rank]),
                    **{
                        name: float(surrogates.vf[d, i]) if i in lent else None
                        for i, name in enumerate(INDICES)
                    },
                }
            )
    return rows


def _loans(surrogates: Surrogates, m: int) -> list[tuple[int, int, int, list[int]]]:
    """(rank, donor, one of the indices lent, all of them) of a borrower, nearest first."""
    by_donors: dict[tuple[int, ...], list[int]] = {}
    for j in np.flatnonzero(surrogates.borrowed[m]):
        by_donors.setdefault(tuple(surrogates.donor[m, j].tolist()), []).append(int(j))
    return [
        (rank, donor, lent[0], lent)
        for donors, lent in by_donors.items()
        for rank, donor in enumerate(donors)
    ]

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
      vf: (V, 3) float32, native units, none missing: measured values where there are any.
      borrower: (M,) int64, volumes that borrow at least one index, ascending.
      borrowed: (M, 3) bool, which indices.
      donor: (M, k) int64, nearest first.
      distance: (M, k) float64, Euclidean, of the descriptors.
      weight: (M, k) float64, of each donor's values in what is lent; sums to 1.
    """

    vf: np.ndarray
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

    A donor has all three indices. A volume with some of its own keeps them and borrows the others,
    so that none is a mixture of two eyes where it need not be; it lends nothing.

    Args:
      descriptors: (V, C) float32 of every volume, see `descriptor`.
      glaucoma: (V,) integer 0 or 1.
      vf: (V, 3) float, native units; not looked at where `has_vf` is False.
      has_vf: (V, 3) bool.
      k: donors per borrower; the paper's is 1.
      weighting: how k > 1 donors are averaged, one of WEIGHTINGS. With "inverse_distance" donors
        at distance 0 share all the weight.

    Raises:
      ValueError: unknown weighting, or a class in which somebody borrows has fewer than k donors;
        names the classes.
    """
    if weighting not in WEIGHTINGS:
        raise ValueError(f"weighting is {weighting!r}; choose one of {', '.join(WEIGHTINGS)}")
    donors = has_vf.all(axis=1)
    _check(glaucoma, donors, k)
    borrower = np.flatnonzero(~donors)
    donor = np.zeros((len(borrower), k), np.int64)
    distance = np.zeros((len(borrower), k))
    for label in np.unique(glaucoma[borrower]):
        pool = np.flatnonzero(donors & (glaucoma == label))
        own = glaucoma[borrower] == label
        found, distance[own] = nearest(descriptors[borrower[own]], descriptors[pool], k)
        donor[own] = pool[found]
    weight = WEIGHTINGS[weighting](distance)
    weight /= weight.sum(axis=1, keepdims=True)
    # (M, k), (M, k, 3) -> (M, 3)
    lent = np.einsum("mk,mki->mi", weight, vf[donor].astype(np.float64))
    filled = vf.astype(np.float32)
    filled[borrower] = np.where(has_vf[borrower], vf[borrower], lent)
    return Surrogates(filled, borrower, ~has_vf[borrower], donor, distance, weight)


def _check(glaucoma: np.ndarray, donors: np.ndarray, k: int) -> None:
    if k < 1:
        raise ValueError(f"k is {k}; a borrower needs at least one donor")
    problems = []
    for label, name in enumerate(SCREENING_NAMES):
        borrowing = int(np.sum(~donors & (glaucoma == label)))
        lending = int(np.sum(donors & (glaucoma == label)))
        if borrowing and lending < k:
            problems.append(
                f"{borrowing} volumes of class {name} lack a visual field, and {lending} of that "
                f"class have a complete one to lend, of {k} needed"
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
      (1 = nearest), `donor`, `donor_patient`, `distance`, `weight`, and the donor's `vfi`, `md`,
      `psd` in percent and dB.
    """
    rows = []
    for m, v in enumerate(surrogates.borrower):
        names = [name for name, was in zip(INDICES, surrogates.borrowed[m], strict=True) if was]
        for rank, d in enumerate(surrogates.donor[m]):
            rows.append(
                {
                    "borrower": ids[v],
                    "borrower_patient": patients[v],
                    "class": SCREENING_NAMES[int(glaucoma[v])],
                    "borrowed": " ".join(names),
                    "rank": rank + 1,
                    "donor": ids[d],
                    "donor_patient": patients[d],
                    "distance": float(surrogates.distance[m, rank]),
                    "weight": float(surrogates.weight[m, rank]),
                    **dict(zip(INDICES, surrogates.vf[d].tolist(), strict=True)),
                }
            )
    return rows

"""What a grade rests on: by how much its probability falls where a part of the photograph is covered.

Occlusion (Zeiler and Fergus 2014, section 4.2), which asks nothing of the network but its answers:
the same for every kind. It says what the network looked at, not what is ill.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from imo_jax.visualisation.colours import blend_evidence

PATCH, STRIDE = 4, 8  # a patch is a quarter of the square's side, and moves by an eighth
FAINTEST = 0.05  # probability; less is not shown in full colour
DARKEST = 12  # grey level up to which a pixel is the ground around the photograph's field

# (N, S, S, 3) uint8 -> (N, G) probabilities
Grades = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class GradeEvidence:
    """Evidence for a grade over the square of a photograph that the network sees.

    Attributes:
      square: (S, S, 3) uint8.
      values: (S, S) float32, see `grade_evidence`.
      grade: name of the grade that it speaks for.
    """

    square: np.ndarray
    values: np.ndarray
    grade: str

    def picture(self) -> np.ndarray:
        """(S, S, 3) uint8: the grey square, red where it speaks for the grade, blue against; the
        strongest evidence has the full colour, if it is FAINTEST at least."""
        grey = np.rint(self.square.mean(axis=-1)).astype(np.uint8)
        limit = max(float(np.abs(self.values).max()), FAINTEST)
        return blend_evidence(grey, self.values / limit)


def grade_evidence(square: np.ndarray, grades: Grades) -> tuple[np.ndarray, int]:
    """The evidence for the most probable grade.

    Args:
      square: (S, S, 3) uint8, the photograph as the network sees it.
      grades: asks the network.

    Returns:
      (S, S) float32, probability lost where a pixel's surroundings are covered by the mean colour,
      mean over the patches that cover it: positive speaks for the grade, negative against; and the
      grade.
    """
    places = corners(len(square))
    covered = np.stack([square, *(cover(square, *place) for place in places)])
    found = grades(covered)
    best = int(found[0].argmax())
    lost = found[0, best] - found[1:, best]
    side = len(square) // PATCH
    total, times = np.zeros(square.shape[:2], np.float32), np.zeros(square.shape[:2], np.float32)
    for (top, left), value in zip(places, lost, strict=True):
        total[top : top + side, left : left + side] += value
        times[top : top + side, left : left + side] += 1
    return total / np.maximum(times, 1), best


def corners(side: int) -> list[tuple[int, int]]:
    """Upper left corners of all patches of a square."""
    starts = range(0, side - side // PATCH + 1, max(1, side // STRIDE))
    return [(top, left) for top in starts for left in starts]


def cover(square: np.ndarray, top: int, left: int) -> np.ndarray:
    """The square with a patch of the mean colour of what is lit."""
    lit = square.max(axis=-1) > DARKEST
    colour = square[lit].mean(axis=0) if lit.any() else np.zeros(3)
    covered = square.copy()
    side = len(square) // PATCH
    covered[top : top + side, left : left + side] = np.rint(colour)
    return covered

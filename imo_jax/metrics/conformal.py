"""Promises that hold: intervals and sets that contain the truth with a stated probability.

Split-conformal prediction (Vovk et al. 2005; Angelopoulos and Bates 2023): errors on eyes that were
not trained on give a bound that the error of the next eye stays under with at least the stated
probability, if that eye comes from where those came from. Nothing is assumed of the network.
"""

import math
from collections.abc import Sequence

import numpy as np

LARGEST_TEMPERATURE = 10.0
SMALLEST = 1e-7  # probabilities below are raised to it in logarithms


def bound(scores: np.ndarray, patients: Sequence[str], coverage: float) -> float:
    """What the score of an eye of another patient stays under with a probability of `coverage`.

    Of n patients with one eye each it is the ceil((n + 1) coverage)-th smallest score. Two eyes of
    a patient err alike, and count half each: the weighted quantile of hierarchical conformal
    prediction (Lee, Barber and Willett 2023), which holds for an eye drawn from a new patient.

    Args:
      scores: (n,) float, one an eye.
      patients: of the n eyes.
      coverage: 0..1.

    Returns:
      The bound; infinity where there are too few patients to promise anything (fewer than
      coverage / (1 - coverage)).
    """
    _, patient_of_eye, eyes = np.unique(patients, return_inverse=True, return_counts=True)
    order = np.argsort(scores)
    below = np.cumsum((1.0 / eyes)[patient_of_eye][order]) if len(scores) else np.zeros(0)
    enough = below >= (len(eyes) + 1) * coverage - 1e-9  # .9 * 10 is 9, whatever floats say
    return float(scores[order][enough.argmax()]) if enough.any() else math.inf


def grade_scores(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """1 - probability of the true grade: (N, G), (N,) int -> (N,); of `grade_set`."""
    return 1.0 - np.take_along_axis(probabilities, truth[:, None], axis=-1)[:, 0]


def grade_set(probabilities: np.ndarray, largest_score: float) -> np.ndarray:
    """The grades that cannot be ruled out (least ambiguous sets, Sadinle et al. 2019).

    Args:
      probabilities: (..., G) float.
      largest_score: `bound` of the scores of other eyes.

    Returns:
      (..., G) bool: grades with 1 - probability up to the bound, and the most probable in any case.
    """
    best = probabilities == probabilities.max(axis=-1, keepdims=True)
    return (1.0 - probabilities <= largest_score) | best


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(log p / T) over the last axis, float32: softer for T > 1; the order stays."""
    logits = np.log(np.maximum(probabilities, SMALLEST).astype(np.float64)) / temperature
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)


def fit_temperature(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """The temperature with the least negative log-likelihood (Guo et al. 2017), at least 1.

    A network is made less sure, never more: a few eyes that are all graded right would make it
    certain.

    Args:
      probabilities: (N, G) float.
      truth: (N,) int.

    Returns:
      1..LARGEST_TEMPERATURE.
    """
    from scipy import optimize  # here: no other function needs it, and programs start without it

    def loss(log_temperature: float) -> float:
        found = tempered(probabilities, math.exp(log_temperature)).astype(np.float64)
        true = np.take_along_axis(found, truth[:, None], axis=-1)
        return -float(np.log(np.maximum(true, SMALLEST)).mean())

    limits = (0.0, math.log(LARGEST_TEMPERATURE))
    found = optimize.minimize_scalar(loss, bounds=limits, method="bounded")
    return math.exp(found.x) if found.fun < loss(0.0) else 1.0

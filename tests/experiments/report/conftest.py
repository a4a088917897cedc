"""Eyes whose shapes and answers are made, for reports without a training."""

import types

import numpy as np
import pytest

from experiments.report.gallery import eye_card, step_cards
from imo_jax.metrics.imo_eye import score_eye

SIDE = 96
ROWS, COLUMNS = np.indices((SIDE, SIDE))


def circles(disc, cup, right=0):
    distance = np.hypot(ROWS - SIDE / 2, COLUMNS - SIDE / 2 - right)
    return (distance <= disc).astype(np.uint8) + (distance <= cup)


def made_eye(number, error=0):
    """An eye whose prediction is moved by `error` pixels: its example, answer and record."""
    rng = np.random.default_rng(number)
    mask = circles(20, 10)
    glow = 90 + 120 * np.exp(-((ROWS - 48) ** 2 + (COLUMNS - 48) ** 2) / 900)
    fundus = np.stack([glow + 40, glow * 0.6, glow * 0.3], axis=-1) + rng.normal(
        0, 4, (SIDE, SIDE, 1)
    )
    probabilities = 0.1 + 0.7 * np.eye(3, dtype=np.float32)[circles(20, 10, error)]
    grade = np.array([0.2, 0.2, 0.6]) if error else np.array([0.7, 0.2, 0.1])
    answer = types.SimpleNamespace(
        probabilities=probabilities.astype(np.float32),
        entropy=np.full((SIDE, SIDE), 0.5, np.float32),
    )
    example = {"fundus": np.clip(fundus, 0, 255).astype(np.uint8), "mask": mask, "has_mask": True}
    record = score_eye(
        f"eye{number}",
        f"person{number}",
        probabilities=answer.probabilities,
        mask=mask,
        sample_ids=np.stack([circles(20, 10), circles(20, 12)]),
        grade_probabilities=grade,
        grade=number % 3,
    )
    return example, answer, record


def made_card(number, error=0):
    example, answer, record = made_eye(number, error)
    card = eye_card(example, answer, record)
    steps = np.stack([np.eye(3)[circles(26, 20)], np.eye(3)[circles(22, 14)]])
    return card | {"steps": step_cards(steps, (1.0, 0.5), card)}


@pytest.fixture(scope="session")
def eye_of():
    return made_eye


@pytest.fixture(scope="session")
def card_of():
    return made_card


@pytest.fixture(scope="session")
def cards():
    """Three eyes; the second is predicted far off."""
    return [made_card(n, error) for n, error in enumerate((0, 12, 3))]

"""Eyes and volumes whose pictures and answers are made, for reports without a training."""

import types

import numpy as np
import pytest

from imo_jax.metrics.imo_eye import score_eye
from imo_jax.metrics.screening import VolumeRecord
from imo_jax.predictor.volume_result import Evidence
from imo_jax.report.eye_cards import eye_card, step_cards
from imo_jax.report.volume_cards import common_limits, volume_card

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


def made_volume(number):
    """A volume of 12 B-scans, the fourth with the strongest evidence: its record and evidence.

    Even ones are normal, odd ones glaucoma; the probability is of the wrong class for number 1.
    """
    rng = np.random.default_rng(number)
    glaucoma = number % 2
    measured = np.array([60.0, -12.0, np.nan]) if glaucoma else np.array([99.0, -1.0, 1.5])
    record = VolumeRecord(
        id=f"v{number}", patient=f"person{number // 2}", eye="OD", visit="1", glaucoma=glaucoma,
        probability=0.9 * glaucoma if number != 1 else 0.2,
        vf_predicted=np.array([90.0, -3.0, 2.0]), vf_measured=measured,
    )  # fmt: skip
    images = rng.integers(0, 255, (12, SIDE, SIDE), np.uint8)
    cams = np.full((12, 4, 4), 0.5 if glaucoma else -0.5, np.float32)
    cams[3] *= 4
    return record, Evidence(images, cams, np.full(12, record.probability))


@pytest.fixture(scope="session")
def volume_of():
    return made_volume


@pytest.fixture(scope="session")
def made_volume_cards():
    """Four volumes, two a class; the first of glaucoma is called normal."""
    made = [made_volume(n) for n in range(4)]
    limits = common_limits([evidence.cams for _, evidence in made])
    return [volume_card(*one, limits) for one in made]


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

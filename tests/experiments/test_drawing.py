"""The picture of an evaluated eye says what is doubtful about it."""

import types

import numpy as np
import pytest

from experiments.drawing import eye_picture
from experiments.prediction import EyePrediction
from imo_jax.metrics.imo_eye import score_eye

SIDE = 32


def picture(fundus, disc):
    probabilities = np.zeros((SIDE, SIDE, 3), np.float32)
    probabilities[..., 0] = 1
    if disc:
        probabilities[10:20, 10:20] = (0, 1, 0)
    store = types.SimpleNamespace(
        example=lambda split, i: {"fundus": fundus, "mask": None, "has_mask": False}
    )
    prediction = EyePrediction(
        index=0, id="e", grade_probabilities=None, probabilities=probabilities, sample_ids=None,
        entropy=None,
    )  # fmt: skip
    return eye_picture(store, "test", prediction, score_eye("e", "e", probabilities=probabilities))


@pytest.mark.parametrize(("dark", "disc", "notes"), [(1, True, 0), (20, True, 1), (20, False, 2)])
def test_doubts_stand_below(dark, disc, notes):
    noise = np.random.default_rng(0).integers(0, 12, (SIDE, SIDE, 1))
    sound = (noise + np.array([190, 100, 50])).astype(np.uint8)
    fundus = sound // dark
    plain = picture(sound, True)
    added = len(picture(fundus, disc)) - len(plain)
    assert (added > 0) == (notes > 0)
    if notes == 2:
        assert added > len(picture(fundus, True)) - len(plain)

"""What two networks say of the same eyes, together."""

import numpy as np
import pytest

from imo_jax.predictor.batches import EyePrediction, mean_predictions


def one_eye(probabilities, eye_id="a"):
    return EyePrediction(
        index=0,
        id=eye_id,
        grade_probabilities=np.ones(3) / 3,
        probabilities=probabilities,
        sample_ids=None,
        entropy=None,
    )


def test_an_ensemble_is_the_mean_of_the_probabilities():
    first = np.array([[[0.8, 0.2, 0.0], [0.1, 0.5, 0.4]]])
    second = np.array([[[0.4, 0.0, 0.6], [0.3, 0.1, 0.6]]])
    (mean,) = mean_predictions([one_eye(first)], [one_eye(second)])
    np.testing.assert_allclose(mean.probabilities, [[[0.6, 0.1, 0.3], [0.2, 0.3, 0.5]]])
    # At the second pixel neither the first network's class nor a vote of one to one decides.
    assert mean.probabilities.argmax(-1).tolist() == [[0, 2]]
    assert mean.grade_probabilities is None


def test_an_ensemble_of_different_eyes_is_refused():
    p = np.full((1, 1, 3), 1 / 3)
    with pytest.raises(ValueError, match="a and b"):
        list(mean_predictions([one_eye(p)], [one_eye(p, "b")]))
    with pytest.raises(ValueError):
        list(mean_predictions([one_eye(p)], []))

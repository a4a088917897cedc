import numpy as np
import pytest

from imo_jax.metrics.conformal import (
    bound,
    fit_temperature,
    grade_scores,
    grade_set,
    tempered,
)


def of_single_eyes(scores, coverage):
    return bound(scores, range(len(scores)), coverage)


def test_bound_by_hand():
    # ceil(10 * .9) = 9th of 9, ceil(20 * .9) = 18th of 19, ceil(5 * .5) = 3rd of 4.
    assert of_single_eyes(np.arange(1.0, 10.0)[::-1], 0.9) == 9
    assert of_single_eyes(np.arange(1.0, 20.0), 0.9) == 18
    assert of_single_eyes(np.array([4.0, 1.0, 3.0, 2.0]), 0.5) == 3


def test_too_few_eyes_promise_nothing():
    assert of_single_eyes(np.arange(8.0), 0.9) == np.inf
    assert of_single_eyes(np.array([]), 0.5) == np.inf


@pytest.mark.parametrize("number", [19, 24, 99])
def test_the_next_score_stays_under_the_bound_as_often_as_promised(number):
    rng = np.random.default_rng(number)
    scores = rng.exponential(size=(20_000, number + 1))
    bounds = np.array([of_single_eyes(row[:-1], 0.9) for row in scores])
    share = (scores[:, -1] <= bounds).mean()
    # Three standard errors below .9, and above .9 + 1 / (n + 1).
    assert 0.9 - 0.0064 < share < 0.9 + 1 / (number + 1) + 0.0064


def test_grade_scores_and_sets_by_hand():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25]])
    np.testing.assert_allclose(grade_scores(probabilities, np.array([0, 2])), [0.3, 0.75])
    found = grade_set(probabilities, 0.65)
    np.testing.assert_array_equal(found, [[True, False, False], [True, True, False]])
    # The most probable grade stands in every set, all grades in one without a bound.
    np.testing.assert_array_equal(grade_set(probabilities, 0.0).sum(axis=-1), [1, 1])
    assert grade_set(probabilities, np.inf).all()


def test_fellow_eyes_that_err_alike_do_not_spoil_the_promise():
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(12), [1, 2] * 6)
    held = []
    for _ in range(4000):
        errors = rng.exponential(size=13)  # both eyes of a patient have one error
        held.append(errors[12] <= bound(errors[patients], patients, 0.9))
    assert 0.9 <= np.mean(held) <= 0.9 + 1 / 13 + 0.015


def test_a_set_holds_the_true_grade_as_often_as_promised():
    rng = np.random.default_rng(0)
    held = []
    for _ in range(3000):
        logits = 2 * rng.normal(size=(31, 3))
        p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        truth = rng.integers(0, 3, 31)  # the network knows nothing, the promise holds
        largest = of_single_eyes(grade_scores(p[:-1], truth[:-1]), 0.9)
        held.append(grade_set(p[-1], largest)[truth[-1]])
    assert np.mean(held) > 0.9 - 3 * np.sqrt(0.09 / 3000)


def test_tempered_by_hand():
    p = np.array([[0.9, 0.1]], np.float32)
    # odds 9 to the power 1 / 2 = 3
    np.testing.assert_allclose(tempered(p, 2.0), [[0.75, 0.25]], rtol=1e-6)
    np.testing.assert_allclose(tempered(p, 1.0), p, rtol=1e-6)
    assert np.isfinite(tempered(np.array([[1.0, 0.0]], np.float32), 3.0)).all()


def test_the_temperature_of_an_overconfident_network_by_hand():
    # It says .9 and is right in 3 of 4 eyes: odds 9 -> 3, so T = 2.
    probabilities = np.tile([[0.9, 0.1]], (8, 1))
    truth = np.array([0, 0, 0, 1] * 2)
    assert fit_temperature(probabilities, truth) == pytest.approx(2.0, abs=1e-3)


def test_a_network_is_never_made_surer():
    probabilities = np.tile([[0.6, 0.4]], (8, 1))
    assert fit_temperature(probabilities, np.zeros(8, int)) == 1.0

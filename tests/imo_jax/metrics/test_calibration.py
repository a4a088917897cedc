import numpy as np
import pytest

from imo_jax.metrics import calibration


def test_ece_by_hand():
    # Bin .7-.8: three examples at .75, two right. Bin .9-1: two at 1.0, one right.
    confidence = np.array([0.75, 0.75, 0.75, 1.0, 1.0])
    correct = np.array([True, True, False, True, False])
    bins = calibration.calibration_bins(confidence, correct)
    np.testing.assert_allclose(calibration.ece(bins), (3 * abs(2 / 3 - 0.75) + 2 * 0.5) / 5)
    stated, accuracy, count = calibration.reliability_curve(bins)
    np.testing.assert_allclose(stated, [0.75, 1.0])
    np.testing.assert_allclose(accuracy, [2 / 3, 0.5])
    np.testing.assert_array_equal(count, [3, 2])


def test_number_of_bins_matters():
    # In one bin over- and underconfidence cancel.
    confidence, correct = np.array([0.6, 1.0]), np.array([True, False])
    errors = [
        float(calibration.ece(calibration.calibration_bins(confidence, correct, n)))
        for n in (1, 10)
    ]
    np.testing.assert_allclose(errors, [0.3, 0.7])


def test_bins_merge():
    rng = np.random.default_rng(0)
    confidence, correct = rng.random(50), rng.random(50) < 0.5
    parts = [calibration.calibration_bins(confidence[s], correct[s]) for s in
             (slice(0, 7), slice(7, 50))]  # fmt: skip
    whole = calibration.calibration_bins(confidence, correct)
    np.testing.assert_allclose(sum(parts), whole)
    assert whole[:, 0].sum() == 50
    assert np.isnan(calibration.ece(np.zeros((10, 3))))


def test_calibrated_predictions_have_a_small_error():
    rng = np.random.default_rng(1)
    confidence = rng.random(20000)
    correct = rng.random(20000) < confidence
    assert calibration.ece(calibration.calibration_bins(confidence, correct)) < 0.02
    wrong = calibration.calibration_bins(confidence, rng.random(20000) < confidence**3)
    assert calibration.ece(wrong) > 0.2


def test_brier_and_nll_by_hand_and_against_sklearn():
    probabilities, truth = np.array([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]]), np.array([0, 1])
    np.testing.assert_allclose(calibration.brier(probabilities, truth), [0.375, 2.0])
    likelihood = calibration.nll(probabilities, truth)
    np.testing.assert_allclose(likelihood, [np.log(2), -np.log(calibration.SMALLEST)])
    log_loss = pytest.importorskip("sklearn.metrics").log_loss
    random = np.random.default_rng(2).dirichlet(np.ones(3), 20)
    labels = np.arange(20) % 3
    np.testing.assert_allclose(calibration.nll(random, labels).mean(), log_loss(labels, random))


def test_box_around_the_disc():
    truth = np.zeros((40, 60), np.uint8)
    truth[10:20, 2:22] = 1
    assert calibration.around_disc(truth) == (slice(5, 25), slice(0, 32))
    assert calibration.around_disc(truth, margin=0.1) == (slice(9, 21), slice(0, 24))
    nothing = calibration.around_disc(np.zeros((4, 4), np.uint8))
    assert np.zeros((4, 4))[nothing].shape == (4, 4)


def test_pixels_without_a_label_are_left_out():
    truth = np.array([[0, 255], [2, 1]], np.uint8)
    probabilities = np.full((2, 2, 3), 0.1)
    probabilities[..., 0] = 0.8
    got = calibration.pixel_calibration(probabilities, truth)
    assert got["pixels"] == 3
    np.testing.assert_allclose(got["bins"].sum(axis=0), [3, 2.4, 1])
    np.testing.assert_allclose(got["nll"], -np.log(0.8) - 2 * np.log(0.1))
    np.testing.assert_allclose(got["brier"], 0.06 + 2 * (0.64 + 0.81 + 0.01))

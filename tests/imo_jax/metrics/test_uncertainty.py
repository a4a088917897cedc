import numpy as np

from imo_jax.metrics.uncertainty import error_auroc


def test_uncertainty_at_the_errors():
    truth = np.array([[0, 1, 2, 255]], np.uint8)
    predicted = np.array([[0, 1, 1, 0]], np.uint8)
    assert error_auroc(np.array([[0.1, 0.2, 0.9, 0.0]]), predicted, truth) == 1.0
    assert error_auroc(np.array([[0.1, 0.5, 0.3, 0.9]]), predicted, truth) == 0.5
    assert error_auroc(np.zeros((1, 4)), predicted, truth) == 0.5
    assert np.isnan(error_auroc(np.zeros((1, 4)), truth, truth))

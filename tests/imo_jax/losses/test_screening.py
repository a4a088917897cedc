import jax
import jax.numpy as jnp
import numpy as np
from sklearn.metrics import log_loss

from imo_jax.losses import mean
from imo_jax.losses.screening import binary_count, binary_cross_entropy, squared_error

LOGIT = np.array([-2.0, 0.5, 3.0, 1.0, np.nan], np.float32)
GLAUCOMA = np.array([0, 1, 1, 0, 1], np.int32)
VALID = np.array([True, True, True, True, False])


def test_cross_entropy_as_in_scikit_learn():
    probability = 1 / (1 + np.exp(-LOGIT[:4].astype(np.float64)))
    loss = binary_cross_entropy(LOGIT, GLAUCOMA, VALID)
    np.testing.assert_allclose(mean(loss), log_loss(GLAUCOMA[:4], probability), rtol=1e-6)
    assert loss.count == 4 == binary_count(GLAUCOMA, VALID)
    weights = np.where(GLAUCOMA[:4] == 1, 3.0, 1.0)
    weighted = binary_cross_entropy(LOGIT, GLAUCOMA, VALID, pos_weight=3.0)
    expected = log_loss(GLAUCOMA[:4], probability, sample_weight=weights)
    np.testing.assert_allclose(mean(weighted), expected, rtol=1e-6)
    assert weighted.count == 8 == binary_count(GLAUCOMA, VALID, pos_weight=3.0)


def test_certain_logits_do_not_overflow():
    logit = np.array([1000.0, -1000.0], np.float32)
    one = np.array([1], np.int32)
    for k, expected in ((0, 0.0), (1, 1000.0)):
        gradient = jax.grad(
            lambda x: binary_cross_entropy(x, one, np.array([True])).total  # noqa: B023
        )(jnp.asarray(logit[k : k + 1]))
        total = binary_cross_entropy(logit[k : k + 1], one, np.array([True])).total
        assert total == expected and np.isfinite(gradient).all()


def test_squared_error_by_hand():
    predicted = np.array([0.5, 0.1, np.nan], np.float32)
    target = np.array([0.2, 0.2, 0.0], np.float32)
    loss = squared_error(predicted, target, np.array([True, True, False]))
    np.testing.assert_allclose(loss, (0.09 + 0.01, 2), rtol=1e-6)
    gradient = jax.grad(lambda x: squared_error(x, target, np.zeros(3, bool)).total)(predicted)
    assert not np.asarray(gradient).any(), "what is missing teaches nothing"
    half = squared_error(predicted.astype(jnp.bfloat16), target, np.array([True, True, False]))
    assert half.total.dtype == jnp.float32

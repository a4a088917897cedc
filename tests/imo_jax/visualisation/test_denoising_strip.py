import numpy as np
from scipy import stats

from imo_jax.visualisation.denoising_strip import denoising_strip, read_classes

EMBEDDINGS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
LOG_SNR = np.array([-12.0, -1.0, 6.0])


def test_reading_is_bayes_rule():
    state = np.random.default_rng(0).normal(size=(4, 5, 2))
    log_snr = 0.7
    alpha, sigma = 1 / np.sqrt(1 + np.exp(-log_snr)), 1 / np.sqrt(1 + np.exp(log_snr))
    likelihood = np.stack(
        [stats.multivariate_normal(alpha * e, sigma**2).pdf(state) for e in EMBEDDINGS], axis=-1
    )
    expected = likelihood / likelihood.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(read_classes(state, log_snr, EMBEDDINGS), expected, rtol=1e-6)


def test_noise_says_nothing_and_the_clean_state_everything():
    ids = np.random.default_rng(1).integers(0, 3, (6, 6))
    noise = read_classes(np.random.default_rng(2).normal(size=(6, 6, 2)), -18.0, EMBEDDINGS)
    np.testing.assert_allclose(noise, 1 / 3, atol=1e-3)
    clean = read_classes(EMBEDDINGS[ids], 11.5, EMBEDDINGS)
    np.testing.assert_allclose(clean, np.eye(3)[ids], atol=1e-6)


def a_strip(mask=None, seed=0, tile=60):
    rng = np.random.default_rng(seed)
    ids = np.zeros((16, 16), int)
    ids[5:11, 5:11], ids[7:9, 7:9] = 1, 2
    return denoising_strip(
        np.full((64, 64, 3), 90, np.uint8), rng.normal(size=(3, 16, 16, 2)),
        np.tile(np.eye(3)[ids], (3, 1, 1, 1)), times=np.array([1.0, 0.67, 0.33]), log_snr=LOG_SNR,
        class_embeddings=EMBEDDINGS, title="strip", mask=mask, tile=tile,
    )  # fmt: skip


def test_strip_draws_steps_and_truth():
    strip = a_strip()
    assert strip.dtype == np.uint8 and strip.shape[-1] == 3
    # 4 tiles wide (the eye and three steps), three rows high.
    assert strip.shape[1] > 4 * 60 and strip.shape[0] > 3 * 60
    mask = np.zeros((64, 64), np.uint8)
    mask[20:44, 20:44] = 1
    assert (a_strip(mask) != strip).any() and (a_strip(seed=1) != strip).any()
    mask[:, :20] = 255
    assert a_strip(mask).shape == strip.shape
    assert a_strip(tile=80).shape[0] > strip.shape[0]

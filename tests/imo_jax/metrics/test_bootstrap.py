import time

import numpy as np
from scipy import stats

from imo_jax.metrics import bootstrap, grading


def weights_for(patients, resamples=2000, seed=0):
    return bootstrap.patient_weights(patients, resamples, np.random.default_rng(seed))


def test_both_eyes_of_a_patient_are_drawn_together():
    patients = ["b", "a", "b", "c"]
    weights = weights_for(patients)
    assert weights.shape == (2000, 4)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    # As many patients as there are: "b" counted once.
    np.testing.assert_array_equal(weights[:, [0, 1, 3]].sum(axis=1), 3)
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.1)


def test_the_seed_and_the_number_of_resamples_matter():
    patients = list("abcdef")
    np.testing.assert_array_equal(weights_for(patients), weights_for(patients))
    assert (weights_for(patients, seed=1) != weights_for(patients)).any()
    assert len(weights_for(patients, resamples=7)) == 7


def test_interval_of_a_mean_against_scipy():
    values = np.random.default_rng(0).normal(size=80)
    got = bootstrap.interval(
        bootstrap.weighted_mean(values), weights_for([str(i) for i in range(80)], 5000)
    )
    oracle = stats.bootstrap(
        (values,), np.mean, n_resamples=5000, method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    np.testing.assert_allclose(got["value"], values.mean())
    np.testing.assert_allclose([got["low"], got["high"]], oracle, atol=0.02)


def test_twins_widen_the_interval():
    # 40 values twice over: the same 40 patients with two eyes, or 80 patients with one.
    values = np.tile(np.random.default_rng(0).normal(size=40), 2)
    mean = bootstrap.weighted_mean(values)
    pairs = bootstrap.interval(mean, weights_for([str(i % 40) for i in range(80)]))
    single = bootstrap.interval(mean, weights_for([str(i) for i in range(80)]))
    ratio = (pairs["high"] - pairs["low"]) / (single["high"] - single["low"])
    assert 1.25 < ratio < 1.6  # sqrt(2)


def test_confidence_matters():
    statistic = bootstrap.weighted_mean(np.arange(20.0))
    weights = weights_for([str(i) for i in range(20)])
    wide, narrow = (bootstrap.interval(statistic, weights, c) for c in (0.95, 0.5))
    assert wide["low"] < narrow["low"] < narrow["value"] < narrow["high"] < wide["high"]


def test_weighted_sums_equal_repeated_eyes():
    truth, predicted = np.random.default_rng(3).integers(0, 3, (2, 15))
    eyes = np.zeros((15, 3, 3), int)
    eyes[np.arange(15), truth, predicted] = 1
    weights = weights_for([str(i) for i in range(15)], 4)
    got = bootstrap.of_sums(eyes, grading.macro_f1)(weights)
    for row, value in zip(weights.astype(int), got, strict=True):
        repeated = grading.confusion(np.repeat(truth, row), np.repeat(predicted, row), 3)
        np.testing.assert_allclose(value, grading.macro_f1(repeated))


def test_unknown_values_are_left_out():
    statistic = bootstrap.weighted_mean(np.array([1.0, np.nan, 3.0]))
    assert statistic(np.array([[1.0, 5.0, 1.0], [0.0, 1.0, 2.0]])).tolist() == [2.0, 3.0]
    assert np.isnan(statistic(np.array([[0.0, 1.0, 0.0]]))).all()
    undefined = bootstrap.interval(bootstrap.weighted_mean(np.array([np.nan])), np.ones((5, 1)))
    assert all(np.isnan(v) for v in undefined.values())


def test_paired_difference_sees_what_separate_intervals_hide():
    rng = np.random.default_rng(4)
    eyes = rng.normal(size=60)
    first, second = eyes + 0.1 + 0.05 * rng.normal(size=60), eyes
    weights = weights_for([str(i) for i in range(60)])
    one, two = bootstrap.weighted_mean(first), bootstrap.weighted_mean(second)
    assert bootstrap.interval(one, weights)["low"] < bootstrap.interval(two, weights)["high"]
    got = bootstrap.difference(one, two, weights)
    assert 0.05 < got["low"] < got["value"] < got["high"] < 0.15
    np.testing.assert_allclose(got["value"], (first - second).mean())


def test_it_is_fast():
    weights = weights_for([str(i) for i in range(100)])
    matrices = np.random.default_rng(0).integers(0, 2, (100, 3, 3))
    start = time.perf_counter()
    bootstrap.interval(bootstrap.of_sums(matrices, grading.quadratic_weighted_kappa), weights)
    assert time.perf_counter() - start < 1.0

"""Splits by patient: sizes, strata, determinism, no leak."""

from collections import Counter

import pytest

from data_pipelines.splits import stratified_folds, stratified_splits

PATIENTS = [f"p{i}" for i in range(100)]
GRADES = [0] * 50 + [1] * 26 + [2] * 24
FRACTIONS = {"val": 0.1, "test": 0.2}


def test_sizes_and_strata():
    drawn = stratified_splits(PATIENTS, GRADES, FRACTIONS, seed=0)
    assert Counter(drawn) == {"train": 70, "val": 10, "test": 20}
    for grade, size in Counter(GRADES).items():
        counts = Counter(s for s, g in zip(drawn, GRADES, strict=True) if g == grade)
        assert abs(counts["test"] - 0.2 * size) <= 1
        assert abs(counts["val"] - 0.1 * size) <= 1


def test_all_rows_of_a_patient_share_a_split():
    patients = [f"p{i // 3}" for i in range(90)]
    grades = [i % 3 for i in range(90)]
    drawn = stratified_splits(patients, grades, FRACTIONS, seed=1)
    folds = stratified_folds(patients, grades, 5, seed=1)
    for result in (drawn, folds):
        assert len(set(zip(patients, result, strict=True))) == 30


def test_seed_and_order_of_rows():
    first = stratified_splits(PATIENTS, GRADES, FRACTIONS, seed=0)
    assert first == stratified_splits(PATIENTS, GRADES, FRACTIONS, seed=0)
    assert first != stratified_splits(PATIENTS, GRADES, FRACTIONS, seed=1)
    turned = stratified_splits(PATIENTS[::-1], GRADES[::-1], FRACTIONS, seed=0)
    assert first == turned[::-1]
    folds = stratified_folds(PATIENTS, GRADES, 5, seed=0)
    assert folds == stratified_folds(PATIENTS[::-1], GRADES[::-1], 5, seed=0)[::-1]
    assert folds != stratified_folds(PATIENTS, GRADES, 5, seed=1)


def test_small_sets_get_at_least_one_of_each():
    drawn = stratified_splits(["a", "b", "c"], [0, 0, 0], {"val": 0.1, "test": 0.1}, seed=0)
    assert Counter(drawn) == {"train": 1, "val": 1, "test": 1}
    assert stratified_splits(["a"], [0], {"val": 0.2, "test": 0.2}, seed=0) == ["train"]
    assert stratified_splits([], [], FRACTIONS, seed=0) == []


def test_fraction_of_zero_takes_none():
    drawn = stratified_splits(PATIENTS, GRADES, {"val": 0.0, "test": 0.5}, seed=0)
    assert Counter(drawn) == {"train": 50, "test": 50}


def test_unknown_grade_is_a_stratum():
    strata = [None] * 10 + [0] * 10
    drawn = stratified_splits(PATIENTS[:20], strata, {"test": 0.5}, seed=0)
    assert Counter(drawn[:10]) == Counter(drawn[10:]) == {"train": 5, "test": 5}


def test_folds_are_even_in_every_stratum():
    folds = stratified_folds(PATIENTS, GRADES, 5, seed=0)
    assert set(Counter(folds).values()) == {20}
    for grade, size in Counter(GRADES).items():
        counts = Counter(f for f, g in zip(folds, GRADES, strict=True) if g == grade)
        assert all(size // 5 <= counts[fold] <= size // 5 + 1 for fold in range(5))


@pytest.mark.parametrize("fractions", [{"test": 1.0}, {"test": -0.1}, {"val": 0.5, "test": 0.5}])
def test_impossible_fractions(fractions):
    with pytest.raises(ValueError, match="fractions"):
        stratified_splits(PATIENTS, GRADES, fractions, seed=0)


@pytest.mark.parametrize("folds", [0, 1, 101])
def test_impossible_folds(folds):
    with pytest.raises(ValueError, match="folds"):
        stratified_folds(PATIENTS, GRADES, folds, seed=0)

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsRegressor

from imo_jax.surrogate.labels import assign, loan_rows

# Volumes on a line: place, class, and whether each index was measured.
PLACES = np.array([[0.0], [1.0], [2.5], [10.0], [11.0], [1.2]], np.float32)
GLAUCOMA = np.array([0, 1, 1, 0, 1, 1], np.int32)
VF = np.array(
    [[99, 0, 1], [80, -6, 5], [60, -12, 9], [97, -1, 2], [20, -25, 8], [0, -7, 0]], np.float32
)
HAS_VF = np.ones((6, 3), bool)
HAS_VF[0] = False  # normal: only 3 may lend, however far
HAS_VF[5] = [False, True, False]  # glaucoma: keeps its MD, borrows from 1


def test_by_hand():
    got = assign(PLACES, GLAUCOMA, VF, HAS_VF)
    np.testing.assert_array_equal(got.vf[0], VF[3])
    np.testing.assert_array_equal(got.vf[5], [80, -7, 5])
    np.testing.assert_array_equal(got.vf[1:5], VF[1:5])
    assert got.borrower.tolist() == [0, 5] and got.donor[:, 0].tolist() == [[3], [1]]
    assert got.donor[1].tolist() == [[1], [-1], [1]]  # Keeps its own MD.
    np.testing.assert_allclose(got.distance[:, 2], [[10.0], [0.2]], rtol=1e-6)
    assert got.has_vf.all()
    assert got.borrowed.tolist() == [[True] * 3, [True, False, True]]
    assert got.vf.dtype == np.float32


def test_missing_values_are_not_looked_at():
    hidden = np.where(HAS_VF, VF, np.nan)
    expected = assign(PLACES, GLAUCOMA, VF, HAS_VF).vf
    np.testing.assert_array_equal(assign(PLACES, GLAUCOMA, hidden, HAS_VF).vf, expected)


def test_each_index_comes_from_the_nearest_that_has_it():
    has_vf = HAS_VF.copy()
    has_vf[1] = False  # its nearest is now 5, which has an MD only
    got = assign(PLACES, GLAUCOMA, VF, has_vf)
    assert got.donor[1].tolist() == [[2], [5], [2]]
    np.testing.assert_array_equal(got.vf[1], [60, -7, 9])
    rows = loan_rows(got, list("abcdef"), list("pqrstu"), GLAUCOMA)
    loans = [(r["donor"], r["borrowed"], r["vfi"], r["md"]) for r in rows if r["borrower"] == "b"]
    assert loans == [("c", "vfi psd", 60.0, None), ("f", "md", None, -7.0)]


def test_mean_deviation_alone_suffices():
    """As Harvard's sets publish it: no VFI and no PSD."""
    has_vf = np.zeros((6, 3), bool)
    has_vf[[1, 3, 4], 1] = True
    got = assign(PLACES, GLAUCOMA, VF, has_vf)
    assert got.has_vf.tolist() == [[False, True, False]] * 6
    np.testing.assert_array_equal(got.vf[:, 1], [-1, -6, -6, -1, -25, -6])
    assert got.borrower.tolist() == [0, 2, 5]


@pytest.mark.parametrize("weighting", ["inverse_distance", "uniform"])
def test_several_donors_as_in_scikit_learn(weighting):
    rng = np.random.default_rng(0)
    descriptors = rng.normal(size=(60, 4)).astype(np.float32)
    glaucoma = rng.integers(0, 2, 60)
    vf = rng.normal(size=(60, 3)).astype(np.float32)
    has_vf = np.repeat(rng.random(60) < 0.6, 3).reshape(60, 3)
    donors = has_vf.all(axis=1)
    twin = np.flatnonzero(~donors)[0]  # at distance 0 of a donor
    descriptors[twin] = descriptors[np.flatnonzero(donors & (glaucoma == glaucoma[twin]))[0]]
    got = assign(descriptors, glaucoma, vf, has_vf, k=3, weighting=weighting)
    for label in (0, 1):
        own = glaucoma == label
        kind = {"inverse_distance": "distance", "uniform": "uniform"}[weighting]
        regressor = KNeighborsRegressor(n_neighbors=3, weights=kind)
        regressor.fit(descriptors[own & donors], vf[own & donors])
        expected = regressor.predict(descriptors[own & ~donors])
        np.testing.assert_allclose(got.vf[own & ~donors], expected, atol=1e-4)
    np.testing.assert_allclose(got.weight.sum(axis=2), 1.0)


def test_number_and_weighting_matter():
    one, two, flat = (
        assign(PLACES, GLAUCOMA, VF, HAS_VF | (np.arange(6) == 0)[:, None], **settings).vf[5, 0]
        for settings in ({}, {"k": 2}, {"k": 2, "weighting": "uniform"})
    )
    assert one == 80 and flat == 70
    weights = np.array([1 / 0.2, 1 / 1.3])
    np.testing.assert_allclose(two, weights @ [80, 60] / weights.sum(), rtol=1e-5)


def test_nothing_to_borrow():
    got = assign(PLACES, GLAUCOMA, VF, np.ones((6, 3), bool))
    np.testing.assert_array_equal(got.vf, VF)
    assert len(got.borrower) == 0 and loan_rows(got, list("abcdef"), list("pppppp"), GLAUCOMA) == []


def test_classes_without_donors_are_named():
    without = HAS_VF & (GLAUCOMA == 1)[:, None]
    with pytest.raises(ValueError, match="2 volumes of class normal lack vfi, and 0 of that class"):
        assign(PLACES, GLAUCOMA, VF, without)
    with pytest.raises(ValueError, match="no training volume has any of vfi, md, psd"):
        assign(PLACES, GLAUCOMA, VF, np.zeros((6, 3), bool))
    only_normal = GLAUCOMA == 0  # a class without volumes needs no donors
    assert assign(PLACES[only_normal], GLAUCOMA[only_normal], VF[only_normal],
                  HAS_VF[only_normal]).donor.tolist() == [[[1]] * 3]  # fmt: skip
    with pytest.raises(ValueError, match="1 of that class.*of 2 needed"):
        assign(PLACES, GLAUCOMA, VF, HAS_VF, k=2)
    with pytest.raises(ValueError, match="k is 0"):
        assign(PLACES, GLAUCOMA, VF, HAS_VF, k=0)
    with pytest.raises(ValueError, match="'nearest'.*uniform"):
        assign(PLACES, GLAUCOMA, VF, HAS_VF, weighting="nearest")


def test_rows_of_the_table():
    got = assign(PLACES, GLAUCOMA, VF, HAS_VF)
    rows = loan_rows(got, list("abcdef"), list("pqrstu"), GLAUCOMA)
    assert rows[1] == {
        "borrower": "f", "borrower_patient": "u", "class": "glaucoma", "borrowed": "vfi psd",
        "rank": 1, "donor": "b", "donor_patient": "q", "distance": pytest.approx(0.2),
        "weight": 1.0, "vfi": 80.0, "md": None, "psd": 5.0,
    }  # fmt: skip
    assert [row["donor"] for row in rows] == ["d", "b"]

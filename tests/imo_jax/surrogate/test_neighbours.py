import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from imo_jax.surrogate import neighbours
from imo_jax.surrogate.neighbours import nearest

CHUNKS = {"query_chunk": 32, "donor_chunk": 100}


def data(kind, seed=0, shape=(90, 730, 24)):
    """Queries and donors whose squared distances cancel more or less."""
    rng = np.random.default_rng(seed)
    draw = {
        "normal": lambda n: rng.normal(size=(n, shape[2])),
        "far from 0": lambda n: 1e3 + rng.normal(size=(n, shape[2])),
        "one long axis": lambda n: (
            rng.normal(size=(n, shape[2])) * np.r_[1e3, np.ones(shape[2] - 1)]
        ),
        "descriptors": lambda n: np.cbrt(rng.gamma(0.5, size=(n, shape[2]))),
    }[kind]
    return draw(shape[0]).astype(np.float32), draw(shape[1]).astype(np.float32)


KINDS = ("normal", "far from 0", "one long axis", "descriptors")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 4])
def test_equals_scikit_learn(kind, k):
    queries, donors = data(kind)
    index, distance = nearest(queries, donors, k, **CHUNKS)
    tree = NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(donors.astype(np.float64))
    expected_distance, expected = tree.kneighbors(queries.astype(np.float64))
    np.testing.assert_allclose(distance, expected_distance, rtol=1e-9)
    np.testing.assert_array_equal(index, expected)
    assert index.dtype == np.int64 and distance.dtype == np.float64


def test_chunks_change_nothing():
    queries, donors = data("normal")
    whole = nearest(queries, donors, 3)
    for chunks in (CHUNKS, {"query_chunk": 7, "donor_chunk": 11}):
        for one, other in zip(whole, nearest(queries, donors, 3, **chunks), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("copies", [20, 130])
def test_ties_go_to_the_smallest_index(copies):
    """More often the same than there are candidates in the first search, and in the second."""
    assert 2 + neighbours.SPARE_CANDIDATES < 20 < neighbours.WIDER * 14 < 130
    queries, donors = data("far from 0", shape=(6, 8, 5))
    alone, distance = nearest(queries, donors)
    many = np.tile(donors, (copies, 1))
    index, again = nearest(queries, many, 2, query_chunk=4, donor_chunk=50)
    np.testing.assert_array_equal(index, np.concatenate([alone, alone + 8], axis=1))
    np.testing.assert_array_equal(again, np.repeat(distance, 2, axis=1))


def test_descriptors_that_are_all_the_same():
    same = np.full((300, 4), 0.3, np.float32)
    index, distance = nearest(same[:5], same, 3, **CHUNKS)
    assert index.tolist() == [[0, 1, 2]] * 5 and not distance.any()


def test_close_ties_are_told_apart(monkeypatch):
    """Donors on a sphere around the query, their radii 1e-9 apart: float32 sees no order."""
    rng = np.random.default_rng(2)
    directions = rng.normal(size=(3000, 16))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    radii = 100.0 * (1.0 + 1e-9 * rng.permutation(3000))
    donors = (radii[:, None] * directions + 50.0).astype(np.float32)
    query = np.full((1, 16), 50.0, np.float32)
    exact = np.linalg.norm(donors.astype(np.float64) - 50.0, axis=1)
    index, distance = nearest(query, donors, 5)
    np.testing.assert_array_equal(index[0], np.argsort(exact)[:5])
    np.testing.assert_allclose(distance[0], np.sort(exact)[:5], rtol=1e-12)
    # Without the bound on the error the first candidates would have been believed.
    monkeypatch.setattr(neighbours, "_relative_error", lambda dimensions: -1.0)
    monkeypatch.setattr(neighbours, "SPARE_CANDIDATES", 0)
    assert nearest(query, donors, 5)[0].tolist() != index.tolist()


def test_the_bound_holds():
    """No product is further off than `_relative_error` says."""
    for seed, kind in enumerate(KINDS):
        queries, donors = data(kind, seed)
        exact = np.square(queries[:, None].astype(np.float64) - donors[None]).sum(axis=-1)
        own, theirs = (np.square(x.astype(np.float64)).sum(axis=-1) for x in (queries, donors))
        products = theirs.astype(np.float32)[None] - 2.0 * (queries @ donors.T)
        off = np.abs(products + own[:, None] - exact)
        limit = neighbours._relative_error(queries.shape[1])
        limit *= np.square(np.sqrt(own)[:, None] + np.sqrt(theirs)[None])
        assert (off <= limit).all()


def test_few_donors_and_no_queries():
    queries, donors = data("normal", shape=(5, 3, 4))
    index, distance = nearest(queries, donors, 3)
    assert (np.sort(index, axis=1) == [0, 1, 2]).all() and (np.diff(distance) >= 0).all()
    assert nearest(queries[:0], donors)[0].shape == (0, 1)


@pytest.mark.parametrize(
    ("queries", "donors", "k", "words"),
    [
        (np.zeros((2, 3)), np.zeros((2, 4)), 1, "not .Q, D"),
        (np.zeros((2, 3)), np.zeros((2, 3)), 3, "k is 3, with 2 donors"),
        (np.zeros((2, 3)), np.zeros((0, 3)), 1, "0 donors"),
        (np.full((1, 3), np.nan), np.zeros((2, 3)), 1, "queries hold"),
        (np.zeros((2, 3)), np.full((1, 3), np.inf), 1, "donors hold"),
    ],
)
def test_what_is_refused(queries, donors, k, words):
    with pytest.raises(ValueError, match=words):
        nearest(queries.astype(np.float32), donors.astype(np.float32), k)

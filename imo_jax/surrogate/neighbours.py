"""Exact nearest neighbours in bounded memory: the device proposes, float64 decides.

|q - d|^2 = |q|^2 - 2 q.d + |d|^2 is a matrix product, but in float32 it cancels: among near donors
it gets the order wrong. So it only names candidates, more than are wanted. Their distances are
then taken as written, from the differences and in float64; and the rounding error of the product,
which has a bound, says whether a donor outside the candidates could have been nearer. Queries for
which it could are searched again with more candidates, and those for which it still could are
compared with every donor in float64. The answer is therefore exact for any input; only its cost
depends on it (a fifth of a second for each query that has a hundred equally near donors among
100,000, where others take milliseconds).
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

SPARE_CANDIDATES = 12  # beyond the k wanted, in the first search
WIDER = 8  # times as many candidates in the second
PAIRS = 16_384  # differences of so many vectors are in memory at once

Proposals = tuple[jax.Array, jax.Array]  # scores, ascending, and donor indices


def nearest(
    queries: np.ndarray,
    donors: np.ndarray,
    k: int = 1,
    *,
    query_chunk: int = 1024,
    donor_chunk: int = 8192,
) -> tuple[np.ndarray, np.ndarray]:
    """The k donors nearest to each query by Euclidean distance, nearest first.

    Among equal distances the smallest donor index comes first. Beyond the arguments it needs a
    float32 copy of the queries on the host and one on the device, and there a few times
    query_chunk x donor_chunk floats and a chunk of donors.

    Args:
      queries: (Q, D) float32.
      donors: (N, D) float32.
      k: donors per query, 1..N.
      query_chunk, donor_chunk: vectors of each that the device compares at once; they change
        memory and speed, not the answer.

    Returns:
      index (Q, k) int64 into donors, and distance (Q, k) float64.

    Raises:
      ValueError: shapes that do not fit, k out of range, or values that are not finite.
    """
    _check(queries, donors, k)
    index = np.zeros((len(queries), k), np.int64)
    squares = np.zeros((len(queries), k))
    centre = np.mean(donors, axis=0, dtype=np.float64).astype(np.float32)
    remaining = np.arange(len(queries))
    for candidates in (k + SPARE_CANDIDATES, WIDER * (k + SPARE_CANDIDATES)):
        if len(remaining) == 0 or candidates >= len(donors):
            break
        part = queries[remaining]
        found = _search(part, donors, centre, candidates, query_chunk, donor_chunk)
        index[remaining], squares[remaining], certain = _decide(part, donors, k, *found)
        remaining = remaining[~certain]
    for i in remaining:
        index[i], squares[i] = _among_all(queries[i], donors, k)
    return index, np.sqrt(squares)


def _check(queries: np.ndarray, donors: np.ndarray, k: int) -> None:
    if queries.ndim != 2 or donors.ndim != 2 or queries.shape[1] != donors.shape[1]:
        raise ValueError(
            f"queries {queries.shape} and donors {donors.shape} are not (Q, D), (N, D)"
        )
    if not 1 <= k <= len(donors):
        raise ValueError(f"k is {k}, with {len(donors)} donors to choose from")
    for name, values in (("queries", queries), ("donors", donors)):
        if not all(np.isfinite(part).all() for _, part in _chunks(values, PAIRS)):
            raise ValueError(f"{name} hold values that are not finite")


def _chunks(values: np.ndarray, size: int) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, len(values), size):
        yield start, values[start : start + size]


def _search(
    queries: np.ndarray,
    donors: np.ndarray,
    centre: np.ndarray,
    candidates: int,
    query_chunk: int,
    donor_chunk: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Candidates of each query, and below what squared distance no other donor can be.

    Donors are taken chunk by chunk, each compared with all queries before the next: what is kept
    between them is `candidates` scores and indices per query.

    Returns:
      index (Q, candidates) int64; bound (Q,) float64.
    """
    query_chunk, donor_chunk = min(query_chunk, len(queries)), min(donor_chunk, len(donors))
    chunks = -(-len(queries) // query_chunk)
    centred = _centred(queries, centre, chunks * query_chunk)
    own = _squared_norms(centred)[: len(queries)]
    # (chunks * query_chunk, D) -> (chunks, query_chunk, D)
    blocks = jax.device_put(centred.reshape(chunks, query_chunk, -1))
    shape = (chunks, query_chunk, candidates)
    best = (np.full(shape, np.inf, np.float32), np.zeros(shape, np.int32))
    longest = 0.0
    for start, part in _chunks(donors, donor_chunk):
        chunk = _centred(part, centre, donor_chunk)
        norms = _squared_norms(chunk)
        longest = max(longest, float(norms.max()))
        norms[len(part) :] = np.inf  # padding is far away
        best = _merge(best, blocks, chunk, norms.astype(np.float32), np.int32(start))
    # (chunks, query_chunk, candidates) -> (Q, candidates)
    score, index = (np.asarray(x).reshape(-1, candidates)[: len(queries)] for x in best)
    error = _relative_error(queries.shape[1]) * np.square(np.sqrt(own) + np.sqrt(longest))
    return index.astype(np.int64), score[:, -1] + own - error


def _centred(part: np.ndarray, centre: np.ndarray, size: int) -> np.ndarray:
    """`part` (n, D) less `centre`, with rows of 0 up to (size, D); float32.

    Short vectors lose less to cancellation, and distances do not see the move.
    """
    result = np.zeros((size, part.shape[1]), np.float32)
    result[: len(part)] = part - centre[None]
    return result


def _squared_norms(vectors: np.ndarray) -> np.ndarray:
    """(n, D) float32 -> (n,) float64."""
    return np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)


def _relative_error(dimensions: int) -> float:
    """How far |d|^2 - 2 q.d + |q|^2 is off at most, in float32 and relative to (|q| + |d|)^2.

    With u the unit roundoff: D u / 2 for 2 q.d (an inner product is off by at most D u |q||d|:
    Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), u for the subtraction, u
    for the rounded |d|^2, 2 u for the rounding of centred vectors. The factor is twice their sum.
    """
    unit_roundoff = float(np.finfo(np.float32).eps) / 2
    return (dimensions + 8) * unit_roundoff


@jax.jit
def _merge(
    best: Proposals, queries: jax.Array, donors: jax.Array, norms: jax.Array, start: jax.Array
) -> Proposals:
    """The best proposals so far and those of a chunk of donors, for one block after the other.

    Args:
      best: of earlier donors, (blocks, B, m) each.
      queries: (blocks, B, D).
      donors, norms: (n, D) and their squared norms (n,).
      start: index of the first of these donors.
    """

    def block(part: tuple[Proposals, jax.Array]) -> Proposals:
        (score, index), queries = part
        # (B, D) . (n, D) -> (B, n); full float32 also where matrix units would use fewer bits
        products = jnp.einsum("bd,nd->bn", queries, donors, precision=jax.lax.Precision.HIGHEST)
        new_score, new_index = _smallest(norms[None] - 2.0 * products, score.shape[1])
        both_score = jnp.concatenate([score, new_score], axis=1)
        both_index = jnp.concatenate([index, new_index + start], axis=1)
        score, order = _smallest(both_score, score.shape[1])
        return score, jnp.take_along_axis(both_index, order, axis=1)

    return jax.lax.map(block, (best, queries))


def _smallest(scores: jax.Array, number: int) -> tuple[jax.Array, jax.Array]:
    """The smallest of each row (or all there are), ascending, and where they stand."""
    values, index = jax.lax.top_k(-scores, min(number, scores.shape[1]))
    return -values, index


def _decide(
    queries: np.ndarray, donors: np.ndarray, k: int, candidates: np.ndarray, bound: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The k nearest candidates, their squared distances, and whether they are surely the nearest.

    Returns:
      index (Q, k), squares (Q, k) float64, certain (Q,) bool.
    """
    # Ascending indices, so that a stable sort puts the smallest of equals first.
    candidates = np.sort(candidates, axis=1)
    squares = _squared_distances(queries, donors, candidates)
    order = np.argsort(squares, axis=1, kind="stable")[:, :k]
    index = np.take_along_axis(candidates, order, axis=1)
    squares = np.take_along_axis(squares, order, axis=1)
    return index, squares, squares[:, -1] < bound


def _squared_distances(queries: np.ndarray, donors: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Of each query (Q, D) to its donors (Q, m): float64, from the differences."""
    pairs = index.size
    rows = np.repeat(np.arange(len(queries)), index.shape[1])
    flat = index.reshape(-1)
    squares = np.empty(pairs)
    for start in range(0, pairs, PAIRS):
        part = slice(start, start + PAIRS)
        difference = queries[rows[part]].astype(np.float64)
        difference -= donors[flat[part]]
        squares[part] = np.einsum("pd,pd->p", difference, difference)
    return squares.reshape(index.shape)


def _among_all(query: np.ndarray, donors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices (k,) and squared distances (k,) of the donors nearest to one query (D,)."""
    squares = np.empty(len(donors))
    for start, part in _chunks(donors, PAIRS):
        difference = part.astype(np.float64) - query[None]
        squares[start : start + PAIRS] = np.einsum("nd,nd->n", difference, difference)
    index = np.argsort(squares, kind="stable")[:k]
    return index, squares[index]

"""Time and memory of the exact nearest neighbour search, beside scikit-learn's brute force.

python -m benchmarks.neighbours --queries=50000 --donors=100000

Random descriptors, as norm-3 pooling gives them: not negative, skewed, some features near 0. Memory
is the highest resident size of this process while it searched less its size just before, when the
inputs were there and JAX had started: what the search needs beyond its inputs, compilation
included. scikit-learn answers a sample of the queries in its own time, afterwards; its answer must
be the same but for distances within 1e-6 of each other, and its time is scaled to all queries.
"""

import argparse
import pathlib
import re
import sys
import time

import jax
import numpy as np
from sklearn.neighbors import NearestNeighbors

from imo_jax.surrogate.neighbours import nearest

TIE = 1e-6


def random_descriptors(number: int, dimensions: int, seed: int) -> np.ndarray:
    """(number, dimensions) float32 >= 0, made in pieces: no peak of memory beside the result."""
    result = np.empty((number, dimensions), np.float32)
    for start in range(0, number, 1000):
        rng = np.random.default_rng((seed, start))
        part = result[start : start + 1000]
        part[...] = np.cbrt(rng.gamma(0.5, size=part.shape))
    return result


def resident(peak: bool = False) -> int:
    """Resident memory of this process in bytes, now or at its highest (Linux)."""
    status = pathlib.Path("/proc/self/status").read_text()
    name = "VmHWM" if peak else "VmRSS"
    return 1024 * int(re.search(rf"{name}:\s+(\d+) kB", status)[1])


def differences(
    index: np.ndarray, distance: np.ndarray, other: np.ndarray, other_distance: np.ndarray
) -> int:
    """In how many places two answers differ that are not ties: (Q, k) each."""
    return int(np.sum((index != other) & (np.abs(distance - other_distance) > TIE)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.neighbours",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--queries", type=int, default=50_000)
    parser.add_argument("--donors", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--k", type=int, default=1, help="neighbours per query (default 1)")
    parser.add_argument("--sample", type=int, default=500, help="queries for scikit-learn")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Prints the measurements; returns 0, or 1 where scikit-learn's answer is another."""
    args = _parser().parse_args(argv)
    queries = random_descriptors(args.queries, args.dimensions, seed=0)
    donors = random_descriptors(args.donors, args.dimensions, seed=1)
    jax.block_until_ready(jax.device_put(np.zeros(1)))  # starts the device
    before, begun = resident(), time.perf_counter()
    index, distance = nearest(queries, donors, args.k)
    seconds, beyond = time.perf_counter() - begun, resident(peak=True) - before
    print(
        f"{args.queries} queries, {args.donors} donors of {args.dimensions} dimensions, "
        f"k = {args.k}, {jax.devices()[0].device_kind}: {seconds:.1f} s, "
        f"{beyond / 1e6:.0f} MB beyond the inputs ({(queries.nbytes + donors.nbytes) / 1e6:.0f} MB)"
    )
    sample = slice(0, args.sample)
    begun = time.perf_counter()
    brute = NearestNeighbors(n_neighbors=args.k, algorithm="brute").fit(donors)
    other_distance, other = brute.kneighbors(queries[sample])
    scaled = (time.perf_counter() - begun) * args.queries / len(other)
    wrong = differences(index[sample], distance[sample], other, other_distance)
    print(
        f"scikit-learn, brute force on {len(other)} of the queries: {scaled:.1f} s when scaled to "
        f"all; {wrong} of {other.size} neighbours differ by more than a tie of {TIE:g}"
    )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())

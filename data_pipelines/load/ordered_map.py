"""A parallel map that keeps the order and looks only so far ahead."""

import collections
import concurrent.futures
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ordered_map(
    function: Callable[[T], R], items: Iterable[T], workers: int, ahead: int
) -> Iterator[R]:
    """Yields function(item) in the order of `items`, computed in threads.

    Args:
      function: called from several threads at once.
      items: may be endless.
      workers: number of threads, at least 1.
      ahead: how many results may wait besides those being computed; bounds the memory.

    An error of `function` is raised where its result would have come. Closing the iterator stops
    the threads once they have finished what they are at.
    """
    if workers < 1 or ahead < 0:
        raise ValueError(f"workers={workers} must be at least 1, ahead={ahead} at least 0")
    items = iter(items)
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    try:
        waiting = collections.deque(
            pool.submit(function, item) for item in itertools.islice(items, workers + ahead)
        )
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in itertools.islice(items, 1))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

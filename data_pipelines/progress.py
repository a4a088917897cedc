"""One line that says how far a preparation is."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def progress_line(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Passes items on; keeps one line on stderr where that is a terminal, else writes one at the end."""
    live = sys.stderr.isatty()
    start = shown = time.monotonic()
    done = 0
    for done, item in enumerate(items, 1):
        yield item
        if live and time.monotonic() - shown > 0.1:
            shown = time.monotonic()
            print(f"\rpreparing {what}: {done}/{total}", end="", file=sys.stderr, flush=True)
    seconds = time.monotonic() - start
    clear = "\r" if live else ""
    print(f"{clear}prepared {what}: {done}/{total} in {seconds:.1f} s", file=sys.stderr)

"""One line that says how far a long work on files is."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

# What is done sooner is not worth a line.
WORTH_SECONDS = 2.0


def progress_line(
    items: Iterable[T],
    total: int,
    what: str,
    *,
    verb: str = "prepared",
    before: int = 0,
    always: bool = True,
) -> Iterator[T]:
    """Passes items on; keeps one line on stderr where that is a terminal, else writes one at the end.

    Args:
      items: that are passed on.
      total: how many there are, with those before.
      what: is counted.
      verb: what has been done with it.
      before: how many had been done when the first comes.
      always: writes the last line even where everything was done within WORTH_SECONDS.
    """
    live = sys.stderr.isatty()
    start = shown = time.monotonic()
    done = before
    for done, item in enumerate(items, before + 1):
        yield item
        if live and time.monotonic() - shown > 0.1:
            shown = time.monotonic()
            print(f"\r{verb} {what}: {done}/{total}", end="", file=sys.stderr, flush=True)
    seconds = time.monotonic() - start
    clear = "\r" if live else ""
    if always or shown > start or seconds > WORTH_SECONDS:
        print(f"{clear}{verb} {what}: {done}/{total} in {seconds:.1f} s", file=sys.stderr)

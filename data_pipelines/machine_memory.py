"""How much memory this machine, or the container that the program runs in, has."""

import os
from pathlib import Path

# A container's limit, of either version of control groups; no number where there is none.
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_bytes() -> int | None:
    """Bytes of the machine, or of the container where that is less; None where nothing tells."""
    told = [_physical(), *map(_limit, LIMITS)]
    return min((size for size in told if size), default=None)


def _physical() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # no such names, as on Windows
        return None


def _limit(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no such file, or "max"
        return None

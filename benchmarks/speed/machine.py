"""What the figures were taken on: processor, memory, commit."""

import os
import pathlib
import re
import subprocess

from imo_jax import machine

ROOT = pathlib.Path(__file__).resolve().parents[2]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def processor() -> str:
    """'AMD EPYC, 2 cores'."""
    return f"{machine.processor()}, {cores()} cores"


def peak_resident() -> int | None:
    """Highest resident memory of this process so far in bytes; None where that is not told."""
    found = re.search(r"VmHWM:\s+(\d+) kB", _read("/proc/self/status"))
    return 1024 * int(found[1]) if found else None


def commit() -> str:
    """The checkout's commit, with a + where files differ from it; '' outside a checkout."""
    try:
        head = _git("rev-parse", "--short", "HEAD").strip()
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""

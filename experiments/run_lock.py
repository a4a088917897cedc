"""One program at a time writes a run's folder."""

import contextlib
import datetime
import json
import os
import pathlib
import socket
from collections.abc import Iterator

from experiments.runtime import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK = ".lock"

# Folders that this process holds: a stage finds the lock of its run taken by its own program.
_held: set[pathlib.Path] = set()


@contextlib.contextmanager
def locked(folder: pathlib.Path) -> Iterator[None]:
    """Holds a folder's lock, which the system takes back from a process however it ends.

    Within a process that holds it already this does nothing.

    Raises:
      UserError: another process holds it; says which, where and since when.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = folder.resolve()
    if held in _held:
        yield
        return
    with (folder / LOCK).open("a+", encoding="utf-8") as file:
        if not _taken(file):
            file.seek(0)
            raise UserError(f"{folder} is in use by {_holder(file.read())}; wait for it or end it")
        file.truncate(0)
        now = datetime.datetime.now().isoformat(sep=" ", timespec="seconds")
        json.dump({"process": os.getpid(), "host": socket.gethostname(), "since": now}, file)
        file.flush()
        _held.add(held)
        try:
            yield
        finally:
            _held.remove(held)
            with contextlib.suppress(OSError):
                file.truncate(0)
                _leave_nothing_empty(folder)


def _leave_nothing_empty(folder: pathlib.Path) -> None:
    """Removes a folder in which nothing lies but the lock: the work was refused before it began."""
    if [entry.name for entry in folder.iterdir()] == [LOCK]:
        (folder / LOCK).unlink()
        folder.rmdir()


def _taken(file) -> bool:
    """Whether the lock is ours now; True where the file system has no locks."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems
        return True
    return True


def _holder(text: str) -> str:
    try:
        found = json.loads(text)
        return f"process {found['process']} on {found['host']} since {found['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process"

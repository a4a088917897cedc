"""Prepared folders that appear whole or not at all, also when several processes want the same."""

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

CONTENTS_FILE = "contents.json"
_UNFINISHED = ".unfinished-"


def prepared_folder(cache_dir: Path, name: str, write: Callable[[Path], None]) -> Path:
    """The folder cache_dir/name, written by `write(folder)` if it is not there yet.

    It is written under another name and renamed when whole, so that a process that is killed
    leaves nothing that would be taken for it. A folder whose files are not of the size they had
    when written (a full disk, a deleted file) is written again.

    One process at a time prepares in a cache; others wait. Where the file system has no locks,
    several may do the same work; the first to finish is kept.
    """
    folder = cache_dir / name
    if is_whole(folder):
        return folder
    cache_dir.mkdir(parents=True, exist_ok=True)
    with _lock(cache_dir) as locked:
        if is_whole(folder):  # another process has been faster
            return folder
        if locked:
            _remove_unfinished(cache_dir)
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=cache_dir))
        try:
            write(unfinished)
            _write_contents(unfinished)
            if folder.exists() and not is_whole(folder):
                shutil.rmtree(folder)
            _rename(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def is_whole(folder: Path) -> bool:
    """Whether all files that were written are there with the size they had."""
    try:
        sizes = json.loads((folder / CONTENTS_FILE).read_text())
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def prepared_folders(cache_dir: Path) -> list[Path]:
    """Folders that `prepared_folder` wrote, whole or damaged since; none where there is no cache."""
    return [file.parent for file in sorted(cache_dir.glob(f"[!.]*/{CONTENTS_FILE}"))]


def mark_used(folder: Path) -> None:
    """Notes that a prepared folder was asked for now; a cache that cannot be written forgets it."""
    with contextlib.suppress(OSError):
        os.utime(folder / CONTENTS_FILE)


def last_used(folder: Path) -> float:
    """When a prepared folder was last asked for, in seconds since the epoch."""
    return (folder / CONTENTS_FILE).stat().st_mtime


def remove_unused(cache_dir: Path, before: float) -> None:
    """Removes prepared folders that were last used before a time, and what was left unfinished.

    Folders that `prepared_folder` did not write stay. Waits for a process that prepares. A folder
    is moved first, so that one half removed is taken for nothing but unfinished.

    Args:
      cache_dir: as given to `prepared_folder`; it need not exist.
      before: in seconds since the epoch.

    Raises OSError naming what may not be removed.
    """
    if not cache_dir.is_dir():
        return
    with _lock(cache_dir) as locked:
        if locked:
            _remove_unfinished(cache_dir)
        for folder in prepared_folders(cache_dir):
            if last_used(folder) < before:
                unwanted = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=cache_dir))
                folder.rename(unwanted / folder.name)
                shutil.rmtree(unwanted)


def _remove_unfinished(cache_dir: Path) -> None:
    """Clears what killed processes left; only under the lock does it belong to nobody."""
    for leftover in cache_dir.glob(_UNFINISHED + "*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _write_contents(folder: Path) -> None:
    sizes = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    (folder / CONTENTS_FILE).write_text(json.dumps(sizes, indent=1))


def _rename(unfinished: Path, folder: Path) -> None:
    unfinished.chmod(0o755)  # temporary folders are private
    try:
        unfinished.rename(folder)
    except OSError:
        if not is_whole(folder):  # else another process got there first, with the same content
            raise


@contextlib.contextmanager
def _lock(cache_dir: Path) -> Iterator[bool]:
    """Holds the cache's lock, waiting for it; yields False where there are no locks."""
    if fcntl is None:
        yield False
        return
    with open(cache_dir / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that prepares data in {cache_dir}", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # some network file systems
            yield False
            return
        yield True
        # Closing the file releases the lock, as does the end of the process.

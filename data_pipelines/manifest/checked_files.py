"""What a check has found in files, remembered under their size, times and inode, and their bytes.

A set is decoded once to be checked; a second start reads the table alone, and files that were copied
anew, or touched, are read but not decoded. What was found counts for the code that found it: another
version of the readers or checks looks again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, Self

from data_pipelines.npz_member import split_member

PACKAGE = Path(__file__).resolve().parents[1]
# Modules that decide what is found in a file: those of these folders.
CODE = (PACKAGE, PACKAGE / "manifest")
COMMIT_EVERY = 64  # findings; a check that is stopped goes on after the last


class CheckedFiles:
    """A context in which findings are remembered; without a path, or where it cannot be written,
    nothing is."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._lock = path, threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._unsaved = 0

    def __enter__(self) -> Self:
        if self._path is None:
            return self
        # A cache that cannot be written, or is damaged, costs time and nothing else.
        with contextlib.suppress(OSError, sqlite3.Error):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self._path, timeout=30, check_same_thread=False)
            database.execute("CREATE TABLE IF NOT EXISTS found (key TEXT PRIMARY KEY, value TEXT)")
            self._database = database
        return self

    def __exit__(self, *error: object) -> None:
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.commit()
            self._database.close()
            self._database = None

    def of(self, what: str, files: Sequence[Path | None], find: Callable[[], Any]) -> Any:
        """find(), or what it gave for these files as they are now. From several threads.

        Args:
          what: names the question.
          files: that the answer depends on; a folder stands for all files in it.
          find: gives something that JSON can hold.
        """
        if self._database is None:
            return find()
        missed: list[str] = []
        for mark in (_stamp, _content):
            key = _key(what, files, mark)
            if key is None:
                return find()
            if (known := self._read(key)) is not None:
                break
            missed.append(key)
        else:
            known = json.dumps(find())
        for key in missed:
            self._write(key, known)
        return json.loads(known)

    def all_of(
        self, questions: Sequence[tuple[str, Sequence[Path | None], Callable[[], Any]]], pool: Executor
    ) -> Iterator[Any]:
        """The answers to several questions, the arguments of `of`, in order.

        Those that are known at a glance are not handed to the pool's threads, which would take more
        time than the answers.
        """
        waiting = [self._known(*asked) or pool.submit(self.of, *asked) for asked in questions]
        for answer in waiting:
            yield answer.result() if isinstance(answer, Future) else answer[0]

    def _known(self, what: str, files: Sequence[Path | None], _: Callable[[], Any]) -> list | None:
        """[answer] where there is one for files of these stamps."""
        key = None if self._database is None else _key(what, files, _stamp)
        known = None if key is None else self._read(key)
        return None if known is None else [json.loads(known)]

    def _read(self, key: str) -> str | None:
        with self._lock, contextlib.suppress(sqlite3.Error):
            row = self._database.execute("SELECT value FROM found WHERE key = ?", (key,)).fetchone()
            return row and row[0]
        return None

    def _write(self, key: str, value: str) -> None:
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._database.execute("INSERT OR REPLACE INTO found VALUES (?, ?)", (key, value))
            self._unsaved += 1
            if self._unsaved % COMMIT_EVERY == 0:
                self._database.commit()


def _key(
    what: str, files: Sequence[Path | None], mark: Callable[[Path], list]
) -> str | None:
    """None where a file is not there or cannot be read: whoever looks says so."""
    try:
        marks = [None if file is None else mark(file) for file in files]
    except OSError:
        return None
    return hashlib.sha256(json.dumps([code_version(), what, marks]).encode()).hexdigest()


def _content(path: Path) -> list:
    """Names and bytes: what is found in a file may name it."""
    file = split_member(path)[0]
    if file.is_dir():
        return [str(path), [_content(child) for child in sorted(file.iterdir())]]
    if not file.is_file():
        raise OSError(f"{file} is no file")  # a pipe: reading it might never end
    with file.open("rb") as opened:
        return [str(path), hashlib.file_digest(opened, "sha256").hexdigest()]


def _stamp(path: Path) -> list:
    status = split_member(path)[0].stat()
    stamp = [str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
    if stat.S_ISDIR(status.st_mode):
        stamp.append([_stamp(child) for child in sorted(path.iterdir())])
    return stamp


@functools.cache
def code_version() -> str:
    """A hash of the code that reads and checks files."""
    digest = hashlib.sha256()
    for file in sorted(file for folder in CODE for file in folder.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()

"""The one error that every file reader of this room raises."""

from __future__ import annotations

import os


class BadFile(ValueError):
    """A file that cannot be used: which one, why, and what to do.

    Attributes:
      path: the file, as a string.
      reason: why it cannot be used; the message without the path.
    """

    def __init__(self, path: os.PathLike | str, reason: str):
        self.path = os.fspath(path)
        self.reason = reason
        super().__init__(f"{self.path}: {reason}")


def describe(error: BaseException) -> str:
    """One line that names an exception of some library: 'OSError: image file is truncated'."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

"""What a program sets up before its first array: quiet libraries, compiled code kept on disk.

To be imported before any library, whose import takes seconds: Ctrl-C meanwhile is one line and exit
code 130, no traceback.
"""

import errno
import gc
import os
import pathlib
import re
import sys
import threading
from collections.abc import Callable
from typing import Any


def _end_quietly(kind, error, trace) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    print("interrupted", file=sys.stderr, flush=True)
    os._exit(130)


sys.excepthook = _end_quietly

# Importing libraries and tracing networks make objects by the hundred thousand, nearly all to stay:
# Python would walk through all of them again and again, a tenth of a start.
gc.set_threshold(50_000)

# Before TensorFlow or XLA are first imported: both read these once.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

from absl import logging as absl_logging  # noqa: E402

from data_pipelines.cache_folder import CHECKED, COMPILED, cache_folder  # noqa: E402
from imo_jax.allocator import keep_freed_memory  # noqa: E402
from imo_jax.machine import fingerprint  # noqa: E402
from imo_jax.switches import keep_compiled, wait_on_cpus  # noqa: E402
from imo_jax.train import processes  # noqa: E402


class UserError(Exception):
    """A problem with what the user gave; its text says what to do, no traceback is shown."""


def check_memory() -> pathlib.Path:
    """Where it is kept what was found in files, so that unchanged ones are not opened again."""
    return cache_folder() / CHECKED


def set_up() -> None:
    """Silences libraries, keeps freed memory, waits for calls on a CPU, keeps compiled code."""
    keep_freed_memory()
    wait_on_cpus()
    # What the storage of checkpoints logs as an error, with a stack for each file, it raises, too.
    absl_logging.set_verbosity(absl_logging.FATAL)
    sys.unraisablehook = _but_for_full_disks(sys.unraisablehook)
    threading.excepthook = _but_for_full_disks(threading.excepthook)
    keep_compiled(cache_folder() / COMPILED / fingerprint())


def _but_for_full_disks(hook: Callable[[Any], None]) -> Callable[[Any], None]:
    """A hook of other threads' errors without those of a full disk: the program's own write says it.

    TensorBoard's thread fails by itself, and writes of a checkpoint that end after the one that
    failed find their loop closed.
    """

    def told(failed: Any) -> None:
        error = failed.exc_value
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        if not full and str(error) != "Event loop is closed":
            hook(failed)

    return told


def say(text: str) -> None:
    """One line for the user, at once; of several processes the first speaks for all."""
    if processes.is_first():
        print(coloured(text), file=sys.stderr, flush=True)


def complain(error: Exception) -> None:
    """Says what went wrong, in whatever process it did."""
    index, count = processes.place()
    where = f"process {index}: " if count > 1 else ""
    print(coloured(f"{where}error: {error}"), file=sys.stderr, flush=True)


def coloured(text: str) -> str:
    """The text, its words `error:` and `warning:` in colour where stderr is a terminal that has it
    and nobody asked for none (https://no-color.org)."""
    if not sys.stderr.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return _MARKS.sub(lambda mark: f"\x1b[{_COLOURS[mark[0]]}m{mark[0]}\x1b[0m", text)


_COLOURS = {"error:": "1;31", "warning:": "1;33"}  # bold red, bold yellow
_MARKS = re.compile(r"\b(error|warning):")

"""Ctrl-C before a program has begun, while its libraries are imported: one line, exit code 130.

Imported before any of them; it imports nothing but the standard library.
"""

import os
import sys


def _end_quietly(kind, error, trace) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    print("interrupted", file=sys.stderr, flush=True)
    os._exit(130)


sys.excepthook = _end_quietly

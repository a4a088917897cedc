"""A name for prepared data that changes with everything the data depend on."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from data_pipelines.npz_member import split_member


def fingerprint(texts: Iterable[str], files: Iterable[Path], settings: Mapping[str, Any]) -> str:
    """24 hex digits over texts, files and settings.

    A file counts with its path, size and time of change (in nanoseconds), not with its content; a
    folder counts with all files in it.

    Raises FileNotFoundError naming a file that is not there.
    """
    stamps = [_stamp(path) for path in files]
    content = json.dumps([list(texts), stamps, dict(settings)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:24]


def _stamp(path: Path) -> list:
    file, _ = split_member(path)
    if path.is_dir():
        return [str(path), [_stamp(child) for child in sorted(path.iterdir())]]
    status = file.stat()
    return [str(path), status.st_size, status.st_mtime_ns]

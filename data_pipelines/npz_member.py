"""One array of an `.npz` as a path: `data_0001.npz#oct_bscans`."""

from __future__ import annotations

import re
from pathlib import Path


def split_member(path: Path) -> tuple[Path, str | None]:
    """(file, name of the array in it, or None where the path names a whole file)."""
    found = re.fullmatch(r"(.*\.npz)#(.*)", path.name, re.IGNORECASE | re.DOTALL)
    if found is None or path.exists():
        return path, None
    return path.with_name(found[1]), found[2]

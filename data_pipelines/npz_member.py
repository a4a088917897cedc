"""One array of an `.npz` as a path: `data_0001.npz#oct_bscans`."""

from __future__ import annotations

from pathlib import Path

_MARK = ".npz#"


def split_member(path: Path) -> tuple[Path, str | None]:
    """(file, name of the array in it, or None where the path names a whole file)."""
    before, mark, name = path.name.rpartition(_MARK)
    if not mark or path.exists():
        return path, None
    return path.with_name(f"{before}.npz"), name

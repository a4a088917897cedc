"""Where the files of a manifest may lie, and the way from a cell to a file."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path

from data_pipelines.likely_names import LikelyFiles, difference, dropped_zeros
from data_pipelines.manifest.problems import Problem
from data_pipelines.npz_member import split_member


def sidecar_of(path: Path) -> Path:
    """`manifest.json` beside `manifest.csv`: how it was made, and its data_root."""
    return path.with_suffix(".json")


class RealPaths:
    """Where paths lead, links followed. Every folder is looked up once: a set has few."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def of(self, path: os.PathLike | str) -> str:
        """As os.path.realpath."""
        folder, name = os.path.split(path)
        if name in ("", os.curdir, os.pardir):
            return os.path.realpath(path)
        real = os.path.join(self.of_folder(folder), name)
        return os.path.realpath(real) if os.path.islink(real) else real

    def of_folder(self, folder: os.PathLike | str) -> str:
        """The same of a folder, which is remembered."""
        folder = os.fspath(folder)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return self._folders[folder]


@dataclasses.dataclass(frozen=True)
class Roots:
    """The manifest's folder, and the data_root where the manifest lies elsewhere."""

    folder: Path
    data_root: Path | None = None
    _likely: LikelyFiles = dataclasses.field(
        default_factory=LikelyFiles, compare=False, repr=False
    )
    _real: RealPaths = dataclasses.field(default_factory=RealPaths, compare=False, repr=False)

    def find(self, cell: str, *, folder_allowed: bool = False) -> Path:
        """The file that a cell names: under the manifest's folder, else under data_root.

        Raises ValueError with the reason: not relative, leaves the root, missing, a folder
        where a file is wanted, not an ordinary file, not readable.
        """
        _check_spelling(cell)
        file, member = split_member(Path(cell))
        if member is not None:
            found = self.find(file.as_posix())
            return found.with_name(f"{found.name}#{member}")
        tried = []
        for root in (self.folder, self.data_root):
            if root is None:
                continue
            real_root = self._real.of_folder(root)
            found = os.path.join(root, cell)
            real = self._real.of(found)
            if not _is_inside(os.path.normpath(found), os.path.normpath(root)):
                raise ValueError(f"leaves the folder {root}; paths stay under it")
            if not os.path.lexists(found):
                tried.append(str(root))
                continue
            if not _is_inside(real, real_root):
                raise ValueError(
                    f"is a link that leaves the folder {root} (to {real}); "
                    "give --data_root, or put the file itself there"
                )
            _check_kind(real, folder_allowed)
            _check_links_within(real, real_root)
            return Path(os.path.normpath(found))
        raise ValueError(f"does not exist under {' nor under '.join(tried)}{self._near(cell)}")

    def _near(self, cell: str) -> str:
        """A hint where the file is there under a name that is likely meant."""
        for root in (self.folder, self.data_root):
            found = None if root is None else self._likely.meant(root, cell)
            if found is not None:
                why = difference(cell, found) or dropped_zeros(cell, found)
                return f"; there is {found!r}{why}"
        return ""


def _check_spelling(cell: str) -> None:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", cell):
        raise ValueError("is an address, not a file; download it first")
    if re.match(r"[A-Za-z]:", cell) or cell.startswith(("/", "\\", "~")):
        raise ValueError("is absolute; write it relative to the manifest, or give --data_root")
    if "\\" in cell:
        raise ValueError("has backslashes; write '/' between folders")
    if not cell.isprintable():
        raise ValueError("has control characters")


def _is_inside(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def _check_kind(path: str, folder_allowed: bool) -> None:
    if os.path.isdir(path):
        if not folder_allowed:
            raise ValueError("is a folder, not a file")
    elif not os.path.exists(path):
        raise ValueError("is a link to a file that does not exist")
    elif not os.path.isfile(path):
        raise ValueError("is not an ordinary file")
    if not os.access(path, os.R_OK):
        raise ValueError("may not be read (permissions)")


def _check_links_within(path: str, real_root: str) -> None:
    """A folder of B-scans must not reach outside through links either."""
    for entry in os.scandir(path) if os.path.isdir(path) else ():
        real = os.path.realpath(entry.path)
        if entry.is_symlink() and not _is_inside(real, real_root):
            raise ValueError(f"holds a link that leaves the folder: {entry.name!r} to {real}")


def find_roots(path: Path, data_root: os.PathLike | str | None, problems: list[Problem]) -> Roots:
    """The roots of a manifest; data_root from its sidecar where none is given."""
    folder = Path(os.path.abspath(path)).parent
    if data_root is None:
        data_root = _recorded_data_root(path, folder, problems)
        source, advice = str(sidecar_of(path)), "; give --data_root"
    else:
        source, advice = "--data_root", ""
    if data_root is None:
        return Roots(folder)
    data_root = Path(os.path.abspath(data_root))
    if not data_root.is_dir():
        reason = f"data_root {data_root} is no folder{advice}"
        problems.append(Problem(None, source, reason))
        return Roots(folder)
    return Roots(folder, data_root)


def _recorded_data_root(path: Path, folder: Path, problems: list[Problem]) -> Path | None:
    sidecar = sidecar_of(path)
    if not sidecar.is_file():
        return None
    try:
        record = json.loads(sidecar.read_text("utf-8"))
        recorded = record.get("data_root")
        return None if recorded is None else folder / recorded
    except (OSError, ValueError, AttributeError, TypeError) as error:
        reason = f"is damaged ({error}); make the manifest again, or delete this file"
        problems.append(Problem(None, str(sidecar), reason))
        return None

"""Where the files of a manifest may lie, and the way from a cell to a file."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

from data_pipelines.manifest.fields import likely_same_key, same_name_key
from data_pipelines.manifest.problems import Problem
from data_pipelines.npz_member import split_member


def sidecar_of(path: Path) -> Path:
    """`manifest.json` beside `manifest.csv`: how it was made, and its data_root."""
    return path.with_suffix(".json")


@dataclasses.dataclass(frozen=True)
class Roots:
    """The manifest's folder, and the data_root where the manifest lies elsewhere."""

    folder: Path
    data_root: Path | None = None
    _names: dict = dataclasses.field(default_factory=dict, compare=False, repr=False)

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
            real_root = os.path.realpath(root)
            found = os.path.join(root, cell)
            real = os.path.realpath(found)
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
            if root is None:
                continue
            found = ""
            for name in os.path.normpath(cell).split("/"):
                found = os.path.join(found, self._meant(os.path.join(root, found), name) or name)
            if os.path.exists(os.path.join(root, found)):
                return f"; there is {found!r}{_difference(cell, found)}"
        return ""

    def _meant(self, folder: str, name: str) -> str | None:
        """The name itself if it is there, else the only one in the folder that is likely meant."""
        if folder not in self._names:
            listed = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
            self._names[folder] = [_by_key(listed, key) for key in _KEYS]
        if os.path.lexists(os.path.join(folder, name)):
            return name
        for key, names in zip(_KEYS, self._names[folder], strict=True):
            found = names.get(key(name), ())
            if len(found) > 1:
                found = [other for other in found if _kind(other) == _kind(name)]
            if len(found) == 1:
                return found[0]
        return None


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]


# Names that agree under an earlier key are more likely meant.
_KEYS: tuple[Callable[[str], str], ...] = (
    same_name_key,
    likely_same_key,
    lambda name: same_name_key(_stem(name)),
    lambda name: likely_same_key(_stem(name)),
)


def _kind(name: str) -> str:
    """What a file holds by its suffix, so far as names of the two kinds lie side by side."""
    suffix = os.path.splitext(name)[1].lower()
    return {".npy": "array", ".npz": "array", ".dcm": "DICOM", "": "folder"}.get(suffix, "picture")


def _by_key(names: Sequence[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(key(name), []).append(name)
    return found


def _difference(cell: str, found: str) -> str:
    """What cannot be seen, or is a spreadsheet's doing, in two names that differ."""
    if unicodedata.normalize("NFC", cell) == unicodedata.normalize("NFC", found):
        return (
            ", which looks alike and is another Unicode form (accents as letters of their own); "
            "copy the file's name into the manifest, or rename the file"
        )
    if same_name_key(cell) == same_name_key(found):
        return ": capital and small letters differ"
    digits = [re.findall(r"\d+", _stem(name)) for name in (cell, found)]
    if digits[0] != digits[1] and [n.lstrip("0") for n in digits[0]] == [
        n.lstrip("0") for n in digits[1]
    ]:
        return ": did a spreadsheet drop its zeros? Format the column as text there"
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

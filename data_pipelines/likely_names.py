"""Names that people, file systems and spreadsheets write in two ways, and the file that was meant."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Sequence


def same_name_key(name: str) -> str:
    """Equal for names that some file systems take for the same: case and Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def likely_same_key(name: str) -> str:
    """Equal for names that people and spreadsheets write for the same thing.

    Beyond same_name_key: zeros before a number (007, 7), a whole number with decimals (1.0, 1),
    and what stands between letters and digits (P 1, P_1, P-1, P1). Digits stay apart: 1-2 is not 12.
    """
    key = re.sub(r"[\s_-]+", " ", same_name_key(name).strip())
    key = re.sub(r"(?<!\d) | (?!\d)", "", key)
    key = re.sub(r"(?<![\d.])0+(?=\d)", "", key)
    return re.sub(r"^(\d+)\.0+$", r"\1", key)


class LikelyFiles:
    """Finds files under the names that were likely meant. Every folder is listed once."""

    def __init__(self) -> None:
        self._names: dict[str, list[dict[str, list[str]]]] = {}

    def meant(self, root: os.PathLike | str, path: str) -> str | None:
        """The path below `root` that was likely meant with one that is not there, or None.

        None also where two files may have been meant.
        """
        found = ""
        for name in os.path.normpath(path).split("/"):
            found = os.path.join(found, self._meant(os.path.join(root, found), name) or name)
        return found if os.path.exists(os.path.join(root, found)) else None

    def _meant(self, folder: str, name: str) -> str | None:
        """The name itself if it is there, else the only one in the folder that is likely meant."""
        if os.path.lexists(os.path.join(folder, name)):
            return name
        if folder not in self._names:
            listed = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
            self._names[folder] = [_by_key(listed, key) for key in _KEYS]
        for key, names in zip(_KEYS, self._names[folder], strict=True):
            found = names.get(key(name), ())
            if len(found) > 1:
                found = [other for other in found if _kind(other) == _kind(name)]
            if len(found) == 1:
                return found[0]
        return None


def difference(path: str, found: str) -> str:
    """What can hardly be seen in two names that differ; "" otherwise."""
    if unicodedata.normalize("NFC", path) == unicodedata.normalize("NFC", found):
        return (
            ", which looks alike and is another Unicode form (accents as letters of their own); "
            "copy the file's own name, or rename the file"
        )
    if same_name_key(path) == same_name_key(found):
        return ": capital and small letters differ"
    return ""


def dropped_zeros(path: str, found: str) -> str:
    """A question where a spreadsheet may have made `path` of `found`; "" otherwise."""
    digits = [re.findall(r"\d+", _stem(name)) for name in (path, found)]
    if digits[0] != digits[1] and [n.lstrip("0") for n in digits[0]] == [
        n.lstrip("0") for n in digits[1]
    ]:
        return ": did a spreadsheet drop its zeros? Format the column as text there"
    return ""


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

"""The files under a root, whatever folders an unzip tool put around them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.litter import is_litter
from data_pipelines.manifest.problems import Problem

_SHOWN = 8


class Tree:
    """All files under a folder, without what systems leave behind (`__MACOSX`, `._*`, Thumbs.db).

    Attributes:
      root: the folder.
      files: sorted paths below it, relative, with '/'.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: list[str] = []
        for folder, inner, names in os.walk(root, followlinks=True):
            inner[:] = sorted(name for name in inner if not is_litter(name))
            below = Path(folder).relative_to(root)
            self.files += [(below / name).as_posix() for name in names if not is_litter(name)]
        self.files.sort()

    def matches(self, pattern: str) -> list[tuple[Path, re.Match]]:
        """(file, match) of every file whose path ends as the pattern says, in any case.

        The pattern starts at the root or after a '/', so folders around a set do not matter.
        """
        compiled = re.compile(rf"(?:^|/)(?:{pattern})$", re.IGNORECASE)
        found = ((name, compiled.search(name)) for name in self.files)
        return [(self.root / name, match) for name, match in found if match]

    def by_key(
        self, pattern: str, problems: list[Problem], group: str | int = "stem"
    ) -> dict[str, Path]:
        """Key (a group of the pattern, lower case) -> file; a second file of a key is a problem."""
        found: dict[str, Path] = {}
        for file, match in self.matches(pattern):
            key = match[group].lower()
            if key in found:
                reason = f"is a second file of {match[group]!r}, beside {found[key]}; remove one"
                problems.append(Problem(None, str(file), reason))
            found.setdefault(key, file)
        return found

    def within_a_part(self, parts: str) -> list[Problem]:
        """The problem of a root that is one part of a set, whose name (a pattern, in any case) tells its
        split; [] of any other root."""
        name = self.root.resolve().name
        if not re.fullmatch(parts, name, re.IGNORECASE):
            return []
        reason = (
            f"is one part of the set, and its eyes' split would not be seen: give the folder above, "
            f"--root={self.root.resolve().parent}"
        )
        return [Problem(None, str(self.root), reason)]

    @property
    def tops(self) -> str:
        """What there is right below the root, in words."""
        tops = sorted({name.split("/")[0] + ("/" if "/" in name else "") for name in self.files})
        more = f", ... ({len(tops)} entries)" if len(tops) > _SHOWN else ""
        return ", ".join(tops[:_SHOWN]) + more if tops else "nothing"

    def is_missing(self, wanted: Sequence[str]) -> Problem:
        """A problem that names what was looked for and what there is."""
        reason = f"looked for {' or '.join(wanted)} at any depth; there is {self.tops}"
        return Problem(None, str(self.root), reason)

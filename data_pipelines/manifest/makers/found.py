"""What a maker finds in a layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from data_pipelines.images import IMAGE_SUFFIXES
from data_pipelines.litter import is_litter
from data_pipelines.manifest.grades import BINARY_GRADES, PAPER_GRADES
from data_pipelines.manifest.makers.masks import Coded, Outlines
from data_pipelines.manifest.multimodal import Eye
from data_pipelines.manifest.problems import Problem
from data_pipelines.manifest.screening import ScreeningVolume
from data_pipelines.volume_files import VOLUME_SUFFIXES


@dataclasses.dataclass
class Found:
    """The eyes of a layout before their masks are converted and their splits drawn.

    Attributes:
      eyes: `mask` is the stored file, in the codes below; `split` is the layout's own, or "".
      codes: what the stored mask values mean.
      problems: what is wrong with the layout.
      notes: what a user should know about this data.
      masks: id of an eye -> what its mask is made from, where that is not one file in the codes.
      grade_names: of the set's grades, where they are neither the paper's nor glaucoma or not.
    """

    eyes: list[Eye]
    codes: Mapping[int, int]
    problems: list[Problem]
    notes: list[str]
    masks: Mapping[str, Coded | Outlines] = dataclasses.field(default_factory=dict)
    grade_names: tuple[str, ...] | None = None

    def names(self) -> tuple[str, ...]:
        """Of the grades: two, where eyes are told apart by `glaucoma` alone."""
        if self.grade_names is not None:
            return self.grade_names
        graded = any(eye.grade is not None for eye in self.eyes)
        told = any(eye.glaucoma is not None for eye in self.eyes)
        return BINARY_GRADES if told and not graded else PAPER_GRADES


@dataclasses.dataclass
class FoundVolumes:
    """The OCT volumes of a layout before their splits are drawn; as Found."""

    volumes: list[ScreeningVolume]
    problems: list[Problem]
    notes: list[str]


def pictures_by_stem(
    folder: Path, problems: list[Problem], suffixes: Sequence[str] = IMAGE_SUFFIXES
) -> dict[str, Path]:
    """The pictures of a folder by name without suffix, sorted; the same name twice is a problem."""
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else []:
        if is_litter(file.name) or file.suffix.lower() not in suffixes:
            continue
        if file.stem in found:
            reason = f"has the same name as {found[file.stem].name!r}; keep one of them"
            problems.append(Problem(None, str(file), reason))
        found.setdefault(file.stem, file)
    return found


def volumes_by_stem(folder: Path, problems: list[Problem]) -> dict[str, Path]:
    """The volumes of a folder (files, or folders of B-scans) by name without suffix."""
    found: dict[str, Path] = {}
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        is_volume = entry.is_dir() or entry.suffix.lower() in VOLUME_SUFFIXES
        if is_litter(entry.name) or not is_volume:
            continue
        stem = entry.name if entry.is_dir() else entry.stem
        if stem in found:
            reason = f"has the same name as {found[stem].name!r}; keep one of them"
            problems.append(Problem(None, str(entry), reason))
        found.setdefault(stem, entry)
    return found


def without_mask(masks: Collection[str], known: Collection[str], looked: str) -> list[Problem]:
    """A warning that counts the photographs without a mask; none where no photograph has one.

    Args:
      masks, known: names of the masks and of the photographs.
      looked: where a mask was looked for.
    """
    lacking = sorted(set(known) - set(masks))
    if not lacking or len(lacking) == len(known):
        return []
    reason = (
        f"{len(lacking)} of {len(known)} photographs have no mask "
        f"({', '.join(lacking[:5])}{', ...' if len(lacking) > 5 else ''}): looked for {looked}"
    )
    return [Problem(None, None, reason, "warning")]


def unmatched(names: Mapping[str, Path], known: Mapping[str, object], what: str) -> list[Problem]:
    """Files whose name is that of no photograph."""
    return [
        Problem(None, str(file), f"is a {what} without a photograph named {name!r}")
        for name, file in names.items()
        if name not in known
    ]

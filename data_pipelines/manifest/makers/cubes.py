"""OCT cubes whose file names tell the patient and the class.

POAG-001978-2012-02-08-OS.npy       the default pattern: the public cubes of Maetschke et al.
                                    (2019), 64 x 128 x 64, on Zenodo
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.litter import is_litter
from data_pipelines.manifest.fields import parse_id, parse_patient
from data_pipelines.manifest.makers.found import VOLUME_SUFFIXES, FoundVolumes
from data_pipelines.manifest.makers.swapped import swapped_classes
from data_pipelines.manifest.makers.tree import Tree
from data_pipelines.manifest.problems import Problem
from data_pipelines.manifest.screening import POSSIBLE, ScreeningVolume, parse_eye, parse_index

DEFAULT_PATTERN = (
    r"(?P<label>POAG|Normal)-(?P<patient>\d+)-(?P<visit>\d{4}-\d{2}-\d{2})-(?P<eye>O[DS])"
)
GLAUCOMA_WORDS = ("POAG", "glaucoma", "1")
NORMAL_WORDS = ("normal", "healthy", "0")

GROUPS = ("patient", "label", "glaucoma", "eye", "visit", *POSSIBLE)
_SHOWN = 20
_EYES = {"right": "OD", "left": "OS", "od": "OD", "os": "OS", "r": "OD", "l": "OS"}

NO_EYES = (
    "The names do not tell right eyes from left: all are written as OD (right). Do not mirror right "
    "eyes, and mind that the two eyes of a patient count as one case."
)
NO_VISITS = "The names tell no visits: all volumes of an eye are one visit, and so one case."
NO_FIELDS = "No visual field is known: only the class can be learned from these volumes."


def find_cubes(
    root: Path,
    pattern: str = DEFAULT_PATTERN,
    glaucoma_words: Sequence[str] = GLAUCOMA_WORDS,
    normal_words: Sequence[str] = NORMAL_WORDS,
) -> FoundVolumes:
    """Finds the volumes below a folder, in the order of their paths.

    Args:
      root: is searched with all its folders for files of volumes (VOLUME_SUFFIXES).
      pattern: regular expression, searched in each file's path below root (with '/', without
        suffix), with the groups `patient` and `label` (or `glaucoma`), and optionally `eye`,
        `visit`, `vfi`, `md` and `psd`.
      glaucoma_words, normal_words: what the group `label` says for each class, in any case.

    Raises:
      ValueError: the pattern is no regular expression or lacks a group; a word of both classes.
    """
    compiled = _compile(pattern)
    classes = _classes(glaucoma_words, normal_words)
    files = [
        file
        for file in sorted(root.rglob("*"))
        if file.suffix.lower() in VOLUME_SUFFIXES
        and not any(map(is_litter, file.relative_to(root).parts))
        and file.is_file()
    ]
    if not files:
        reason = f"holds no volume ({', '.join(VOLUME_SUFFIXES)}); there is {Tree(root).tops}"
        return FoundVolumes([], [Problem(None, str(root), reason)], [])
    names = {file: file.relative_to(root).with_suffix("").as_posix() for file in files}
    matches = {file: match for file in files if (match := compiled.search(names[file]))}
    problems = _unmatched(root, [file for file in files if file not in matches], pattern)
    problems += _unknown_labels(root, matches.values(), classes)
    stems = Counter(file.stem.lower() for file in matches)
    volumes = []
    for file, match in matches.items():
        name = file.stem if stems[file.stem.lower()] == 1 else names[file].replace("/", "_")
        volume = _volume(file, name, match.groupdict(), classes, problems)
        volumes += [] if volume is None else [volume]
    problems += swapped_classes(volumes)
    return FoundVolumes(volumes, problems, _notes(compiled, volumes))


def _compile(pattern: str) -> re.Pattern:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"--pattern {pattern!r} is no regular expression ({error})") from None
    groups = set(compiled.groupindex)
    if "patient" not in groups or len(groups & {"label", "glaucoma"}) != 1:
        raise ValueError(
            f"--pattern {pattern!r} must have the groups (?P<patient>...) and (?P<label>...)"
        )
    if unknown := sorted(groups - set(GROUPS)):
        raise ValueError(
            f"--pattern: no column for the groups {', '.join(unknown)}; known are "
            f"{', '.join(GROUPS)}"
        )
    return compiled


def _classes(glaucoma_words: Sequence[str], normal_words: Sequence[str]) -> dict[str, int]:
    """Lower-case word -> 1 or 0."""
    glaucoma, normal = (
        {word.lower() for word in words} for words in (glaucoma_words, normal_words)
    )
    if glaucoma & normal:
        raise ValueError(f"{min(glaucoma & normal)!r} is a word of both classes")
    return dict.fromkeys(glaucoma, 1) | dict.fromkeys(normal, 0)


def _label(groups: dict[str, str | None]) -> str:
    return (groups.get("label") or groups.get("glaucoma") or "").lower()


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _unmatched(root: Path, files: Sequence[Path], pattern: str) -> list[Problem]:
    """One problem that lists all files whose name does not tell patient and class."""
    if not files:
        return []
    names = _some([file.relative_to(root).as_posix() for file in files])
    reason = f"the pattern {pattern!r} is not in the names of {len(files)} files: {names}; "
    reason += "give another --pattern, or move them elsewhere"
    return [Problem(None, str(root), reason)]


def _unknown_labels(root: Path, matches, classes: dict[str, int]) -> list[Problem]:
    """One problem that lists the labels which are words of neither class."""
    labels = Counter(_label(match.groupdict()) for match in matches)
    unknown = [f"{label!r} ({count} files)" for label, count in labels.items()
               if label not in classes]  # fmt: skip
    if not unknown:
        return []
    reason = f"labels that are words of neither class: {_some(sorted(unknown))}; name them with "
    reason += "--glaucoma_words and --normal_words"
    return [Problem(None, str(root), reason)]


def _volume(
    file: Path,
    name: str,
    groups: dict[str, str | None],
    classes: dict[str, int],
    problems: list[Problem],
) -> ScreeningVolume | None:
    """The volume of a file, or None with what is wrong with its name among the problems."""
    eye = groups.get("eye") or "OD"
    readers = {
        "id": lambda: parse_id(name),
        "patient": lambda: parse_patient(groups["patient"] or ""),
        "eye": lambda: parse_eye(_EYES.get(eye.lower(), eye)),
        **{
            index: lambda index=index: parse_index(index, groups.get(index) or "")
            for index in POSSIBLE
        },
    }
    values = {}
    for column, read in readers.items():
        try:
            values[column] = read()
        except ValueError as error:
            problems.append(Problem(None, str(file), str(error)))
    if len(values) < len(readers) or _label(groups) not in classes:
        return None
    return ScreeningVolume(
        visit=groups.get("visit") or "1",
        split="",
        oct=file,
        glaucoma=classes[_label(groups)],
        **values,
    )


def _notes(pattern: re.Pattern, volumes: Sequence[ScreeningVolume]) -> list[str]:
    groups = pattern.groupindex
    notes = [] if "eye" in groups else [NO_EYES]
    notes += [] if "visit" in groups else [NO_VISITS]
    return notes + ([] if any(volume.is_donor for volume in volumes) else [NO_FIELDS])
